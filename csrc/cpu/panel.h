// Transposed panels of dense rows: kPanelRows samples side by side for every column, so that one
// broadcast weight meets whole vectors of samples.
#pragma once

#include <cstdlib>
#include <memory>

#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A>
constexpr int kPanelVectors = 4;
template <typename A>
constexpr int64_t kPanelRows = kPanelVectors<A> * kLanes<A>;

struct FreeDeleter {
  void operator()(void* p) const { std::free(p); }
};

// Scratch of one thread for one call, aligned to a cache line; null when memory is exhausted.
template <typename A>
using Buffer = std::unique_ptr<A[], FreeDeleter>;

template <typename A>
Buffer<A> allocate(int64_t count) {
  const size_t bytes = (static_cast<size_t>(count) * sizeof(A) + 63) / 64 * 64 + 64;
  return Buffer<A>(static_cast<A*>(std::aligned_alloc(64, bytes)));
}

// panel[c * kPanelRows + r] = source[r * width + c]; samples past `rows` are zero.
template <typename T>
void load_panel(const T* source, int64_t width, int64_t rows, acc_t<T>* panel) {
  using A = acc_t<T>;
  constexpr int64_t kBlock = 16;
  for (int64_t c0 = 0; c0 < width; c0 += kBlock) {
    const int64_t c1 = c0 + kBlock < width ? c0 + kBlock : width;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = c0; c < c1; ++c) {
        panel[c * kPanelRows<A> + r] = to_acc(source[r * width + c]);
      }
    }
    for (int64_t c = c0; c < c1; ++c) {
      for (int64_t r = rows; r < kPanelRows<A>; ++r) panel[c * kPanelRows<A> + r] = A(0);
    }
  }
}

// target[r * width + c] = panel[c * kPanelRows + r] for the first `rows` samples.
template <typename T>
void store_panel(const acc_t<T>* panel, int64_t width, int64_t rows, T* target) {
  using A = acc_t<T>;
  constexpr int64_t kBlock = 16;
  for (int64_t c0 = 0; c0 < width; c0 += kBlock) {
    const int64_t c1 = c0 + kBlock < width ? c0 + kBlock : width;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = c0; c < c1; ++c) {
        target[r * width + c] = from_acc<T>(panel[c * kPanelRows<A> + r]);
      }
    }
  }
}

}  // namespace sgnn::cpu::SGNN_ISA
