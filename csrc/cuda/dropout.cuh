// Dropout by position: a thread draws one counter and handles its eight elements.
#pragma once

#include "device/platform.cuh"
#include "sgnn/random.h"
#include "sgnn/types.h"

namespace sgnn {

inline constexpr int kDropoutThreads = 256;
inline constexpr int kDropoutElements = 8;  // of one counter

template <typename T>
struct DropoutParams {
  const T* x;  // [count], may be y
  T* y;
  int64_t count;
  const int64_t* seed;  // null where nothing drops
  uint32_t threshold;
  acc_t<T> scale;
  const acc_t<T>* bias;  // [width] or null
  int64_t width;
  bool relu;
};

template <typename T>
__global__ void __launch_bounds__(kDropoutThreads) dropout_kernel(DropoutParams<T> p) {
  using Acc = acc_t<T>;
  const uint64_t seed = p.seed == nullptr ? 0 : static_cast<uint64_t>(*p.seed);
  const int64_t step = static_cast<int64_t>(gridDim.x) * kDropoutThreads;
  for (int64_t counter = static_cast<int64_t>(blockIdx.x) * kDropoutThreads + threadIdx.x;
       counter * kDropoutElements < p.count; counter += step) {
    const Philox4 random = philox(seed, static_cast<uint64_t>(counter));
#pragma unroll
    for (int i = 0; i < kDropoutElements; ++i) {
      const int64_t k = counter * kDropoutElements + i;
      if (k >= p.count) return;
      const uint32_t word = random.word[i / 2];
      const bool keep = (i % 2 != 0 ? word >> 16 : word & 0xffffu) < p.threshold;
      Acc value = to_acc(p.x[k]);
      if (p.bias != nullptr) value += p.bias[k % p.width];
      if (p.relu && value < Acc(0)) value = Acc(0);
      p.y[k] = keep ? from_acc<T>(value * p.scale) : from_acc<T>(Acc(0));
    }
  }
}

template <typename T>
struct DropoutGradParams {
  const T* grad;  // [count], may be out
  const T* y;
  T* out;
  int64_t count;
  acc_t<T> scale;
};

template <typename T>
__global__ void __launch_bounds__(kDropoutThreads) dropout_grad_kernel(DropoutGradParams<T> p) {
  using Acc = acc_t<T>;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kDropoutThreads;
  for (int64_t k = static_cast<int64_t>(blockIdx.x) * kDropoutThreads + threadIdx.x; k < p.count;
       k += step) {
    const bool stopped = to_acc(p.y[k]) <= Acc(0);
    p.out[k] = from_acc<T>(stopped ? Acc(0) : to_acc(p.grad[k]) * p.scale);
  }
}

}  // namespace sgnn
