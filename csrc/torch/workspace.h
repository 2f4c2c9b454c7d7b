// Device memory for a launcher: from torch's caching allocator, which works under graph capture
// too.
#pragma once

#include <torch/csrc/stable/ops.h>

#include "checks.h"

namespace sgnn::binding {

// `bytes` of uninitialised memory on the device of `tensor`, 16-byte aligned.
inline Tensor workspace_like(const Tensor& tensor, int64_t bytes) {
  return torch::stable::new_empty(tensor, {bytes}, ScalarType::Byte);
}

}  // namespace sgnn::binding
