// Transposed panels of dense rows: the samples of a panel side by side for every column, so that
// one broadcast weight meets whole vectors of samples.
#pragma once

#include <cstdlib>
#include <memory>
#include <utility>

#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

constexpr int kPanelVectors = 4;
template <typename A>
constexpr int64_t kPanelRows = kPanelVectors * kLanes<A>;

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

// Runs of kWidth lanes, alternately from a and from b: the even runs of both, or the odd ones.
template <typename A, int kWidth, int kOdd, int... kLane>
SGNN_INLINE vec_t<A> alternate(vec_t<A> a, vec_t<A> b, std::integer_sequence<int, kLane...>) {
  return __builtin_shufflevector(
      a, b,
      (kLane / kWidth % 2 * kLanes<A> + kLane / (2 * kWidth) * 2 * kWidth + kOdd * kWidth +
       kLane % kWidth)...);
}

// v[i][j] becomes v[j][i], in log2(lanes) rounds of two-operand shuffles.
template <typename A, int kWidth = kLanes<A> / 2>
SGNN_INLINE void transpose_square(vec_t<A>* v) {
  constexpr std::make_integer_sequence<int, kLanes<A>> kAll{};
#pragma GCC unroll 16
  for (int i = 0; i < kLanes<A>; ++i) {
    if ((i & kWidth) != 0) continue;
    const vec_t<A> low = alternate<A, kWidth, 0>(v[i], v[i + kWidth], kAll);
    const vec_t<A> high = alternate<A, kWidth, 1>(v[i], v[i + kWidth], kAll);
    v[i] = low;
    v[i + kWidth] = high;
  }
  if constexpr (kWidth > 1) transpose_square<A, kWidth / 2>(v);
}

// target[c * target_stride + r] = source[r * source_stride + c] for a square of lanes x lanes.
template <typename T>
SGNN_INLINE void transpose_in(const T* source, int64_t source_stride, acc_t<T>* target,
                              int64_t target_stride) {
  using A = acc_t<T>;
  vec_t<A> v[kLanes<A>];
#pragma GCC unroll 16
  for (int r = 0; r < kLanes<A>; ++r) v[r] = load(source + r * source_stride);
  transpose_square<A>(v);
#pragma GCC unroll 16
  for (int c = 0; c < kLanes<A>; ++c) store(target + c * target_stride, v[c]);
}

template <typename T>
SGNN_INLINE void transpose_out(const acc_t<T>* source, int64_t source_stride, T* target,
                               int64_t target_stride) {
  using A = acc_t<T>;
  vec_t<A> v[kLanes<A>];
#pragma GCC unroll 16
  for (int c = 0; c < kLanes<A>; ++c) v[c] = load(source + c * source_stride);
  transpose_square<A>(v);
#pragma GCC unroll 16
  for (int r = 0; r < kLanes<A>; ++r) store(target + r * target_stride, v[r]);
}

// transpose_in where only `rows` x `cols` elements of the source exist: target rows are still whole
// vectors, zero in the missing places.
template <typename T>
__attribute__((noinline)) void transpose_edge_in(const T* source, int64_t source_stride, int rows,
                                                 int cols, acc_t<T>* target,
                                                 int64_t target_stride) {
  using A = acc_t<T>;
  A square[kLanes<A> * kLanes<A>] = {};
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c)
      square[c * kLanes<A> + r] = to_acc(source[r * source_stride + c]);
  }
  for (int c = 0; c < cols; ++c) store(target + c * target_stride, load(square + c * kLanes<A>));
}

// transpose_out where only `rows` x `cols` elements of the target exist.
template <typename T>
__attribute__((noinline)) void transpose_edge_out(const acc_t<T>* source, int64_t source_stride,
                                                  int rows, int cols, T* target,
                                                  int64_t target_stride) {
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) {
      target[r * target_stride + c] = from_acc<T>(source[c * source_stride + r]);
    }
  }
}

SGNN_INLINE int at_most(int64_t count, int limit) {
  return count < limit ? static_cast<int>(count) : limit;
}

// panel[c * kPanelRows + r] = source[r * stride + c] for c < width; samples past `rows` are zero.
template <typename T>
void load_panel(const T* source, int64_t stride, int64_t width, int64_t rows, acc_t<T>* panel) {
  using A = acc_t<T>;
  constexpr int kSide = kLanes<A>;
  const int64_t whole = width - width % kSide;
  for (int64_t r = 0; r < kPanelRows<A>; r += kSide) {
    const int height = r < rows ? at_most(rows - r, kSide) : 0;
    const T* corner = source + (height > 0 ? r : 0) * stride;
    const int64_t squares = height == kSide ? whole : 0;
    for (int64_t c = 0; c < squares; c += kSide) {
      transpose_in(corner + c, stride, panel + c * kPanelRows<A> + r, kPanelRows<A>);
    }
    for (int64_t c = squares; c < width; c += kSide) {
      transpose_edge_in(corner + c, stride, height, at_most(width - c, kSide),
                        panel + c * kPanelRows<A> + r, kPanelRows<A>);
    }
  }
}

// target[r * stride + c] = tile[c * kPanelRows + r] for r < rows and c < cols, cols at most the
// number of lanes.
template <typename T>
void store_tile(const acc_t<T>* tile, int64_t rows, int cols, T* target, int64_t stride) {
  using A = acc_t<T>;
  constexpr int kSide = kLanes<A>;
  for (int64_t r = 0; r < rows; r += kSide) {
    const int height = at_most(rows - r, kSide);
    if (height == kSide && cols == kSide) {
      transpose_out(tile + r, kPanelRows<A>, target + r * stride, stride);
    } else {
      transpose_edge_out(tile + r, kPanelRows<A>, height, cols, target + r * stride, stride);
    }
  }
}

}  // namespace sgnn::cpu::SGNN_ISA
