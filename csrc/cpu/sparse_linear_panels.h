// Sparse linear layers over transposed panels of samples, for one instruction set.
#pragma once

#include <new>

#include "packed_rows.h"
#include "panel.h"
#include "panel_fetch.h"
#include "sgnn/sparse_linear.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A>
struct PanelRow {
  vec_t<A> v[kPanelVectors];

  SGNN_INLINE explicit PanelRow(A value) {
#pragma GCC unroll 4
    for (auto& part : v) part = splat(value);
  }

  SGNN_INLINE void add_scaled(A value, const A* column) {
    const vec_t<A> broadcast = splat(value);
#pragma GCC unroll 4
    for (int i = 0; i < kPanelVectors; ++i) v[i] += broadcast * load(column + i * kLanes<A>);
  }

  SGNN_INLINE void store_to(A* target) const {
#pragma GCC unroll 4
    for (int i = 0; i < kPanelVectors; ++i) store(target + i * kLanes<A>, v[i]);
  }
};

// Samples [begin, end): y = x W^T + bias.
template <typename T>
void sparse_linear_panels(const SparseLinearArgs& args, const PackedRows<acc_t<T>>& weight,
                          int64_t begin, int64_t end) {
  using A = acc_t<T>;
  constexpr int kSide = kLanes<A>;
  const int64_t inputs = args.csr.num_cols;
  const int64_t outputs = args.csr.num_rows;
  const A* bias = static_cast<const A*>(args.bias);
  const Buffer<A> panel = allocate<A>(inputs * kPanelRows<A>);
  const Buffer<A> tile = allocate<A>(kSide * kPanelRows<A>);
  if (panel == nullptr || tile == nullptr) throw std::bad_alloc();
  for (int64_t n = begin; n < end; n += kPanelRows<A>) {
    const int64_t rows = n + kPanelRows<A> < end ? kPanelRows<A> : end - n;
    const T* x = static_cast<const T*>(args.x) + n * inputs;
    load_panel(x, inputs, inputs, rows, panel.get());
    const int64_t ahead = end - n - rows < kPanelRows<A> ? end - n - rows : kPanelRows<A>;
    NextPanel next(x + rows * inputs, ahead * inputs * sizeof(T), outputs);
    T* y = static_cast<T*>(args.y) + n * outputs;
    for (int64_t first = 0; first < outputs; first += kSide) {
      const int count = at_most(outputs - first, kSide);
      for (int i = 0; i < count; ++i) {
        const int64_t o = first + i;
        next.fetch_share();
        fetch_lines<kPanelVectors>(y + first + i * kPanelVectors * outputs, outputs,
                                   rows - i * kPanelVectors);
        PanelRow<A> sum(bias != nullptr ? bias[o] : A(0));
        const auto* last = weight.entries + weight.begin[o + 1];
        for (const auto* entry = weight.entries + weight.begin[o]; entry != last; ++entry) {
          sum.add_scaled(entry->value, panel.get() + entry->col * kPanelRows<A>);
        }
        sum.store_to(tile.get() + i * kPanelRows<A>);
      }
      store_tile(tile.get(), rows, count, y + first, outputs);
    }
  }
}

}  // namespace sgnn::cpu::SGNN_ISA
