// Block-sparse linear layers over transposed panels of samples, for one instruction set.
#pragma once

#include <new>

#include "panel.h"
#include "panel_fetch.h"
#include "sgnn/block_linear.h"

namespace sgnn::cpu::SGNN_ISA {

// Outputs that share the loads of a column; with kPanelVectors vectors each they fill the
// registers.
constexpr int kBlockOutputs = SGNN_VECTOR_BYTES == 64 ? 4 : 2;

// How entry (o, k) of a block is found, for a block or its transpose.
struct BlockStrides {
  int64_t output;
  int64_t input;
};

// tile[r] += the product of rows [0, kBlockOutputs) of one block with its columns of the panel.
template <typename A>
SGNN_INLINE void add_block(const A* block, BlockStrides strides, int64_t size, const A* columns,
                           vec_t<A> (*sum)[kPanelVectors]) {
  for (int64_t k = 0; k < size; ++k) {
    vec_t<A> column[kPanelVectors];
#pragma GCC unroll 4
    for (int i = 0; i < kPanelVectors; ++i) {
      column[i] = load(columns + k * kPanelRows<A> + i * kLanes<A>);
    }
#pragma GCC unroll 4
    for (int r = 0; r < kBlockOutputs; ++r) {
      const vec_t<A> weight = splat(block[r * strides.output + k * strides.input]);
#pragma GCC unroll 4
      for (int i = 0; i < kPanelVectors; ++i) sum[r][i] += weight * column[i];
    }
  }
}

// Outputs [first, first + kBlockOutputs) of a panel, to `target`.
template <typename A, typename Index>
SGNN_INLINE void block_outputs(const BlockLinearArgs& args, const CsrView<Index>& csr,
                               int64_t first, const A* panel, A* target) {
  const int64_t size = args.block;
  const int64_t row = first / size;
  const BlockStrides strides{args.transposed ? 1 : size, args.transposed ? size : 1};
  const A* values = static_cast<const A*>(args.values) + first % size * strides.output;
  const A* bias = static_cast<const A*>(args.bias);
  vec_t<A> sum[kBlockOutputs][kPanelVectors];
#pragma GCC unroll 4
  for (int r = 0; r < kBlockOutputs; ++r) {
#pragma GCC unroll 4
    for (auto& part : sum[r]) part = splat(bias != nullptr ? bias[first + r] : A(0));
  }
  for (int64_t j = csr.rowptr[row]; j < static_cast<int64_t>(csr.rowptr[row + 1]); ++j) {
    const A* columns = panel + static_cast<int64_t>(csr.col[j]) * size * kPanelRows<A>;
    add_block(values + csr.value_index(j) * size * size, strides, size, columns, sum);
  }
#pragma GCC unroll 4
  for (int r = 0; r < kBlockOutputs; ++r) {
#pragma GCC unroll 4
    for (int i = 0; i < kPanelVectors; ++i) {
      store(target + r * kPanelRows<A> + i * kLanes<A>, sum[r][i]);
    }
  }
}

// Samples [begin, end): y = x W^T + bias.
template <typename T, typename Index>
void block_linear_panels(const BlockLinearArgs& args, int64_t begin, int64_t end) {
  using A = acc_t<T>;
  constexpr int kSide = kLanes<A>;
  const auto csr = view_csr<Index>(args.csr);
  const int64_t inputs = csr.num_cols * args.block;
  const int64_t outputs = csr.num_rows * args.block;
  const Buffer<A> panel = allocate<A>(inputs * kPanelRows<A>);
  const Buffer<A> tile = allocate<A>(kSide * kPanelRows<A>);
  if (panel == nullptr || tile == nullptr) throw std::bad_alloc();
  for (int64_t n = begin; n < end; n += kPanelRows<A>) {
    const int64_t rows = n + kPanelRows<A> < end ? kPanelRows<A> : end - n;
    const T* x = static_cast<const T*>(args.x) + n * inputs;
    load_panel(x, inputs, inputs, rows, panel.get());
    const int64_t ahead = end - n - rows < kPanelRows<A> ? end - n - rows : kPanelRows<A>;
    NextPanel next(x + rows * inputs, ahead * inputs * sizeof(T), outputs / kBlockOutputs);
    T* y = static_cast<T*>(args.y) + n * outputs;
    for (int64_t first = 0; first < outputs; first += kSide) {
      for (int i = 0; i < kSide; i += kBlockOutputs) {
        next.fetch_share();
        block_outputs(args, csr, first + i, panel.get(), tile.get() + i * kPanelRows<A>);
      }
      store_tile(tile.get(), rows, kSide, y + first, outputs);
    }
  }
}

}  // namespace sgnn::cpu::SGNN_ISA
