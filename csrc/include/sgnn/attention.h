// What the fused attention operators share: features of the sources, pruned edges, dropout.
#pragma once

#include <cstdint>

#include "sgnn/csr.h"
#include "sgnn/random.h"
#include "sgnn/types.h"

namespace sgnn {

// A stands for acc_t<T>.
struct AttentionInputs {
  CsrArg csr;                     // [M, K] targets by sources; in a pass over sources: [K, M]
  DType dtype = DType::kFloat32;  // T
  int64_t heads = 0;              // H
  int64_t width = 0;              // D, of one head
  const void* x = nullptr;        // T [K, H, D] contiguous
  const uint8_t* bits = nullptr;  // packed bits by edge id, or null to keep every edge
  double negative_slope = 0.2;
  uint32_t dropout_threshold = kKeepAll;
  const int64_t* seed = nullptr;  // [1], read when something can drop
};

}  // namespace sgnn
