// Sparse linear layers over transposed panels of samples, for one instruction set.
#pragma once

#include <new>

#include "panel.h"
#include "sgnn/sparse_linear.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A>
struct PanelRow {
  vec_t<A> v[kPanelVectors<A>] = {};

  SGNN_INLINE void add_scaled(A value, const A* panel) {
    const vec_t<A> broadcast = splat(value);
#pragma GCC unroll 4
    for (int i = 0; i < kPanelVectors<A>; ++i) v[i] += broadcast * load(panel + i * kLanes<A>);
  }
};

// Samples [begin, end): y = x W^T + bias.
template <typename T, typename Index>
void sparse_linear_panels(const SparseLinearArgs& args, int64_t begin, int64_t end) {
  using A = acc_t<T>;
  const auto csr = view_csr<Index>(args.csr);
  const A* values = static_cast<const A*>(args.values);
  const A* bias = static_cast<const A*>(args.bias);
  const Buffer<A> in = allocate<A>(csr.num_cols * kPanelRows<A>);
  const Buffer<A> out = allocate<A>(csr.num_rows * kPanelRows<A>);
  if (in == nullptr || out == nullptr) throw std::bad_alloc();
  for (int64_t n = begin; n < end; n += kPanelRows<A>) {
    const int64_t rows = n + kPanelRows<A> < end ? kPanelRows<A> : end - n;
    load_panel(static_cast<const T*>(args.x) + n * csr.num_cols, csr.num_cols, rows, in.get());
    for (int64_t o = 0; o < csr.num_rows; ++o) {
      PanelRow<A> sum;
      if (bias != nullptr) {
        for (auto& v : sum.v) v = splat(bias[o]);
      }
      for (int64_t j = csr.rowptr[o]; j < static_cast<int64_t>(csr.rowptr[o + 1]); ++j) {
        const A* column = in.get() + static_cast<int64_t>(csr.col[j]) * kPanelRows<A>;
        sum.add_scaled(values[csr.value_index(j)], column);
      }
      A* target = out.get() + o * kPanelRows<A>;
      for (int i = 0; i < kPanelVectors<A>; ++i) store(target + i * kLanes<A>, sum.v[i]);
    }
    store_panel(out.get(), csr.num_rows, rows, static_cast<T*>(args.y) + n * csr.num_rows);
  }
}

// Rows [begin, end) of W: the gradient of every stored value, summed over all samples in order.
template <typename T, typename Index>
void sparse_linear_grad_panels(const SparseLinearGradArgs& args, int64_t begin, int64_t end) {
  using A = acc_t<T>;
  const auto csr = view_csr<Index>(args.csr);
  A* out = static_cast<A*>(args.out);
  const int64_t first = csr.rowptr[begin];
  const int64_t last = csr.rowptr[end];
  for (int64_t j = first; j < last; ++j) out[csr.value_index(j)] = A(0);
  if (first == last) return;
  const Buffer<A> x = allocate<A>(csr.num_cols * kPanelRows<A>);
  const Buffer<A> g = allocate<A>(csr.num_rows * kPanelRows<A>);
  if (x == nullptr || g == nullptr) throw std::bad_alloc();
  for (int64_t n = 0; n < args.num_samples; n += kPanelRows<A>) {
    const int64_t left = args.num_samples - n;
    const int64_t rows = left < kPanelRows<A> ? left : kPanelRows<A>;
    load_panel(static_cast<const T*>(args.x) + n * csr.num_cols, csr.num_cols, rows, x.get());
    load_panel(static_cast<const T*>(args.g) + n * csr.num_rows, csr.num_rows, rows, g.get());
    for (int64_t o = begin; o < end; ++o) {
      const A* grad = g.get() + o * kPanelRows<A>;
      for (int64_t j = csr.rowptr[o]; j < static_cast<int64_t>(csr.rowptr[o + 1]); ++j) {
        const A* column = x.get() + static_cast<int64_t>(csr.col[j]) * kPanelRows<A>;
        vec_t<A> sum{};
#pragma GCC unroll 4
        for (int i = 0; i < kPanelVectors<A>; ++i) {
          sum += load(grad + i * kLanes<A>) * load(column + i * kLanes<A>);
        }
        out[csr.value_index(j)] += horizontal_sum<A>(sum);
      }
    }
  }
}

}  // namespace sgnn::cpu::SGNN_ISA
