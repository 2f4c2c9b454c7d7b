// Exact top-k over several score tensors: keep[t][i] = 1 for the k largest scores of all tensors
// together, or for the k[t] largest of each tensor, 0 otherwise.
//
// Order: larger score first; equal scores (+0 equals -0) by lowest position, tensors counted in the
// given order; NaN after every number, so a NaN is kept only when k forces it. Exactly k are kept.
// The same mask on every device and any thread count.
#pragma once

#include <cstdint>

#include "sgnn/executor.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

struct TopkMaskArgs {
  DType dtype = DType::kFloat32;  // of every score tensor
  int64_t num_tensors = 0;
  const void* const* scores = nullptr;  // host array of `num_tensors` pointers to T [sizes[t]]
  uint8_t* const* keep = nullptr;  // host array of `num_tensors` pointers to 0/1 bytes [sizes[t]]
  const int64_t* sizes = nullptr;  // host array
  bool per_tensor = false;
  const int64_t* k = nullptr;  // host array: 0 <= k[0] <= sum of sizes; k[t] <= sizes[t] per tensor
};

void topk_mask_cpu(const TopkMaskArgs& args, const Executor& executor);

// `workspace` is device memory of at least topk_mask_workspace(args) bytes, 16-byte aligned. The
// state of the selection stays on the device: no synchronisation.
int64_t topk_mask_workspace(const TopkMaskArgs& args);
Status topk_mask_cuda(const TopkMaskArgs& args, void* workspace, Stream stream);

}  // namespace sgnn
