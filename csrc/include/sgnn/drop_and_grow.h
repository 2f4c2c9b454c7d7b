// One update of a sparse weight in place: the k active entries with the smallest drop score become
// inactive, the k eligible entries with the largest grow score active.
//
// Both scores are ranked in the order of topk_mask: of equal scores the lowest position ranks
// higher, and NaN ranks below every number. Eligible to grow is what was inactive and, with
// `regrow`, what this update dropped (Evci et al., "Rigging the Lottery", ICML 2020); an entry that
// is dropped and grown again is left as it was. k is lowered to the number of active entries, and
// without `regrow` to the number of inactive ones, so the number of active entries never changes.
//
// A dropped entry has weight and states 0 afterwards, a grown one states 0 and weight init[i] or 0.
// Nothing else is written. The same result on every device and any thread count.
#pragma once

#include <cstdint>

#include "sgnn/executor.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

struct DropAndGrowArgs {
  DType dtype = DType::kFloat32;  // T, of weight, scores and init
  int64_t size = 0;
  uint8_t* mask = nullptr;           // [size], active where not 0
  void* weight = nullptr;            // T [size]
  const void* drop_score = nullptr;  // T [size]; null: |weight|
  const void* grow_score = nullptr;  // T [size]
  const void* init = nullptr;        // T [size]; null: 0
  bool magnitude = false;            // rank |drop_score| and |grow_score|
  bool regrow = true;
  int64_t k = 0;  // 0 <= k <= size
  int64_t num_states = 0;
  void* const* states = nullptr;         // host array of pointers to [size] elements
  const int64_t* state_bytes = nullptr;  // host array: 1, 2, 4 or 8 bytes per element
};

// `kept` and `grown` are scratch memory of `size` bytes each.
void drop_and_grow_cpu(const DropAndGrowArgs& args, uint8_t* kept, uint8_t* grown,
                       const Executor& executor);

// `workspace` is device memory of at least drop_and_grow_workspace(args) bytes, 16-byte aligned. No
// synchronisation.
int64_t drop_and_grow_workspace(const DropAndGrowArgs& args);
Status drop_and_grow_cuda(const DropAndGrowArgs& args, void* workspace, Stream stream);

}  // namespace sgnn
