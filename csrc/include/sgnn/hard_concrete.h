// Hard concrete gates of learnable logits (Louizos, Welling and Kingma, "Learning Sparse Neural
// Networks through L0 Regularization", ICLR 2018, equations 10 and 11), element by element:
//
//   s = sigmoid((logit(u) + logits) / beta),   z = clamp(s * (zeta - gamma) + gamma, 0, 1)
//   dz/dlogits = (zeta - gamma) * s * (1 - s) / beta  where 0 < z < 1, else 0
//
// u is uniform in (0, 1): gate_noise(seed, k) of element k, drawn again in the derivative. Without
// a seed there is no noise and beta does not count: s = sigmoid(logits), the gate of evaluation.
// Computed in T.
#pragma once

#include <cstdint>

#include "sgnn/random.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

struct HardConcreteArgs {
  DType dtype = DType::kFloat32;  // T: kFloat32 or kFloat64
  int64_t count = 0;
  const void* logits = nullptr;   // T [count]
  const void* grad = nullptr;     // T [count]: multiplied by dz/dlogits; or null for z itself
  void* out = nullptr;            // T [count]
  const int64_t* seed = nullptr;  // [1], where the op runs: a captured graph may change it; or null
  double beta = 1;
  double gamma = 0;
  double zeta = 1;
};

// u of element k: 23 random bits and a half, exact in fp32, never 0 or 1. Four elements a counter.
SGNN_HD float gate_uniform(uint32_t word) {
  return (static_cast<float>(word >> 9) + 0.5f) * (1.0f / 8388608.0f);
}
SGNN_HD float gate_noise(uint64_t seed, int64_t k) {
  return gate_uniform(philox(seed, static_cast<uint64_t>(k) >> 2).word[k & 3]);
}

// Elements [begin, end) on the calling thread; `begin` is a multiple of kGateBlock.
constexpr int64_t kGateBlock = 64;
void hard_concrete_cpu(const HardConcreteArgs& args, int64_t begin, int64_t end);

// Enqueues all elements on `stream`; pointers are device pointers. Neither allocates nor
// synchronises.
Status hard_concrete_cuda(const HardConcreteArgs& args, Stream stream);

}  // namespace sgnn
