// The gradient of a sparse weight's values over transposed panels of samples, for one instruction
// set.
#pragma once

#include <new>

#include "panel.h"
#include "panel_fetch.h"
#include "sgnn/sparse_linear.h"

namespace sgnn::cpu::SGNN_ISA {

// sums[j] += the dot product of `grad` with column col[j] of the panel, for `count` stored
// positions.
template <typename A, typename Index>
SGNN_INLINE void add_column_dots(const A* grad, const A* panel, const Index* col, int64_t count,
                                 A* sums) {
  constexpr int kStep = 4;
  vec_t<A> g[kPanelVectors];
#pragma GCC unroll 4
  for (int i = 0; i < kPanelVectors; ++i) g[i] = load(grad + i * kLanes<A>);
  for (int64_t j = 0; j < count; j += kStep) {
    vec_t<A> dot[kStep] = {};
#pragma GCC unroll 4
    for (int s = 0; s < kStep; ++s) {
      const int64_t position = j + s < count ? j + s : count - 1;
      const A* column = panel + static_cast<int64_t>(col[position]) * kPanelRows<A>;
#pragma GCC unroll 4
      for (int i = 0; i < kPanelVectors; ++i) dot[s] += g[i] * load(column + i * kLanes<A>);
    }
    A sum[kStep];
    horizontal_sum4<A>(dot, sum);
    const int valid = at_most(count - j, kStep);
    if (valid == kStep) {
#pragma GCC unroll 4
      for (int s = 0; s < kStep; ++s) sums[j + s] += sum[s];
    } else {
      for (int s = 0; s < valid; ++s) sums[j + s] += sum[s];
    }
  }
}

// Samples [part.sample_begin, part.sample_end) of the stored positions of rows [part.row_begin,
// part.row_end): part.sums[j] for every one of them.
template <typename T, typename Index>
void sparse_linear_grad_panels(const SparseLinearGradArgs& args, const LinearGradPart& part) {
  using A = acc_t<T>;
  constexpr int kSide = kLanes<A>;
  const auto csr = view_csr<Index>(args.csr);
  const int64_t inputs = csr.num_cols;
  const int64_t outputs = csr.num_rows;
  A* sums = static_cast<A*>(part.sums);
  for (int64_t j = csr.rowptr[part.row_begin]; j < csr.rowptr[part.row_end]; ++j) sums[j] = A(0);
  const Buffer<A> panel = allocate<A>(inputs * kPanelRows<A>);
  const Buffer<A> tile = allocate<A>(kSide * kPanelRows<A>);
  if (panel == nullptr || tile == nullptr) throw std::bad_alloc();
  for (int64_t n = part.sample_begin; n < part.sample_end; n += kPanelRows<A>) {
    const int64_t left = part.sample_end - n;
    const int64_t rows = left < kPanelRows<A> ? left : kPanelRows<A>;
    const int64_t ahead = left - rows < kPanelRows<A> ? left - rows : kPanelRows<A>;
    const T* x = static_cast<const T*>(args.x) + n * inputs;
    const T* g = static_cast<const T*>(args.g) + n * outputs;
    load_panel(x, inputs, inputs, rows, panel.get());
    NextPanel next_x(x + rows * inputs, ahead * inputs * sizeof(T), outputs);
    NextPanel next_g(g + rows * outputs, ahead * outputs * sizeof(T), outputs);
    for (int64_t first = part.row_begin; first < part.row_end; first += kSide) {
      const int count = at_most(part.row_end - first, kSide);
      load_panel(g + first, outputs, count, rows, tile.get());
      for (int i = 0; i < count; ++i) {
        next_x.fetch_share();
        next_g.fetch_share();
        const int64_t begin = csr.rowptr[first + i];
        add_column_dots(tile.get() + i * kPanelRows<A>, panel.get(), csr.col + begin,
                        static_cast<int64_t>(csr.rowptr[first + i + 1]) - begin, sums + begin);
      }
    }
  }
}

}  // namespace sgnn::cpu::SGNN_ISA
