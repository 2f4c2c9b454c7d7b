// Exact top-k over several score tensors at once: keep[t][i] = 1 for the k largest scores, 0
// otherwise.
//
// Order: larger score first; equal scores (+0 equals -0) by lowest position, tensors counted in the
// given order; NaN after every number, so a NaN is kept only when k forces it. Exactly k are kept.
// The same mask on every device and any thread count.
#pragma once

#include <cstdint>

#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

struct TopkMaskArgs {
  DType dtype = DType::kFloat32;  // of every score tensor
  int64_t num_tensors = 0;
  const void* const* scores = nullptr;  // host array of `num_tensors` pointers to T [sizes[t]]
  uint8_t* const* keep = nullptr;  // host array of `num_tensors` pointers to 0/1 bytes [sizes[t]]
  const int64_t* sizes = nullptr;  // host array
  int64_t k = 0;                   // 0 <= k <= sum of sizes
};

void topk_mask_cpu(const TopkMaskArgs& args);

// `workspace` is device memory of at least topk_mask_workspace(args) bytes, 16-byte aligned. The
// state of the selection stays on the device: no synchronisation.
int64_t topk_mask_workspace(const TopkMaskArgs& args);
Status topk_mask_cuda(const TopkMaskArgs& args, void* workspace, Stream stream);

}  // namespace sgnn
