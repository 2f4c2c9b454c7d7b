// Small dense projections of rows that are in cache, for one instruction set.
#pragma once

#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

// z[r * z_stride + o] = dot(h[r], w[o]) for a tile of rows and outputs whose sums stay in
// registers.
template <int kRows, int kOutputs, typename T>
SGNN_INLINE void project_tile(const T* h, int64_t h_stride, const T* w, int64_t w_stride,
                              int64_t width, acc_t<T>* z, int64_t z_stride) {
  using A = acc_t<T>;
  constexpr int64_t lanes = kLanes<A>;
  vec_t<A> sum[kRows][4] = {};  // outputs past kOutputs stay zero
  int64_t f = 0;
  for (; f + lanes <= width; f += lanes) {
    vec_t<A> left[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) left[r] = load(h + r * h_stride + f);
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; ++o) {
      const vec_t<A> right = load(w + o * w_stride + f);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) sum[r][o] += left[r] * right;
    }
  }
  const int tail = static_cast<int>(width - f);
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs && tail > 0; ++o) {
      sum[r][o] +=
          load_partial<T>(h + r * h_stride + f, tail) * load_partial<T>(w + o * w_stride + f, tail);
    }
    A dots[4];
    horizontal_sum4<A>(sum[r], dots);
    A* target = z + r * z_stride;
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; ++o) target[o] = dots[o];
  }
}

template <int kRows, typename T>
SGNN_INLINE void project_row_tile(const T* h, int64_t h_stride, const T* w, int64_t w_stride,
                                  int64_t width, acc_t<T>* z, int64_t outputs) {
  int64_t o = 0;
  for (; o + 4 <= outputs; o += 4) {
    project_tile<kRows, 4>(h, h_stride, w + o * w_stride, w_stride, width, z + o, outputs);
  }
  const T* rest = w + o * w_stride;
  switch (outputs - o) {
    case 3:
      return project_tile<kRows, 3>(h, h_stride, rest, w_stride, width, z + o, outputs);
    case 2:
      return project_tile<kRows, 2>(h, h_stride, rest, w_stride, width, z + o, outputs);
    case 1:
      return project_tile<kRows, 1>(h, h_stride, rest, w_stride, width, z + o, outputs);
  }
}

// z [rows, outputs] = h [rows, width] w [outputs, width]^T; z is contiguous.
template <typename T>
void project_rows(const T* h, int64_t h_stride, const T* w, int64_t w_stride, int64_t rows,
                  int64_t width, int64_t outputs, acc_t<T>* z) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    project_row_tile<4>(h + r * h_stride, h_stride, w, w_stride, width, z + r * outputs, outputs);
  }
  for (; r < rows; ++r) {
    project_row_tile<1>(h + r * h_stride, h_stride, w, w_stride, width, z + r * outputs, outputs);
  }
}

}  // namespace sgnn::cpu::SGNN_ISA
