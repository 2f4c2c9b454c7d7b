// The gradient of a block-sparse weight, for one instruction set: outer products of rows of g and
// x, summed in registers over a panel of samples.
#pragma once

#include <new>
#include <type_traits>

#include "panel.h"
#include "sgnn/block_linear.h"

namespace sgnn::cpu::SGNN_ISA {

constexpr int64_t kGradRows = 64;  // samples whose rows stay in the cache while blocks pass by
constexpr int kGradVectors = SGNN_VECTOR_BYTES == 64 ? 16 : 8;  // sums in registers

// Rows of accumulators: the source itself, or a converted copy of it.
template <typename T>
const acc_t<T>* as_acc_rows(const T* source, int64_t count, acc_t<T>* scratch) {
  if constexpr (std::is_same_v<T, acc_t<T>>) {
    return source;
  } else {
    constexpr int kSide = kLanes<acc_t<T>>;
    int64_t i = 0;
    for (; i + kSide <= count; i += kSide) store(scratch + i, load(source + i));
    for (; i < count; ++i) scratch[i] = to_acc(source[i]);
    return scratch;
  }
}

template <typename A>
struct GradPanel {
  const A* g;  // [rows, outputs], at the first output of the block
  int64_t outputs;
  const A* x;  // [rows, inputs], at the first input of the block
  int64_t inputs;
  int64_t rows;
};

// sums[o, k] += sum_n g[n, o] x[n, k] over one block of size x size.
template <int kVectors, typename A>
void add_outer_products(const GradPanel<A>& panel, int64_t size, A* sums) {
  constexpr int kOutputs = kGradVectors / kVectors;
  for (int64_t o = 0; o < size; o += kOutputs) {
    for (int64_t k = 0; k < size; k += kVectors * kLanes<A>) {
      vec_t<A> sum[kOutputs][kVectors] = {};
      for (int64_t n = 0; n < panel.rows; ++n) {
        const A* g = panel.g + n * panel.outputs + o;
        const A* x = panel.x + n * panel.inputs + k;
        vec_t<A> row[kVectors];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) row[v] = load(x + v * kLanes<A>);
#pragma GCC unroll 16
        for (int r = 0; r < kOutputs; ++r) {
          const vec_t<A> factor = splat(g[r]);
#pragma GCC unroll 4
          for (int v = 0; v < kVectors; ++v) sum[r][v] += factor * row[v];
        }
      }
      for (int r = 0; r < kOutputs; ++r) {
        for (int v = 0; v < kVectors; ++v) {
          A* target = sums + (o + r) * size + k + v * kLanes<A>;
          store(target, load(target) + sum[r][v]);
        }
      }
    }
  }
}

template <typename A>
void add_outer_products(const GradPanel<A>& panel, int64_t size, A* sums) {
  if (size / kLanes<A> >= 4) return add_outer_products<4>(panel, size, sums);
  if (size / kLanes<A> >= 2) return add_outer_products<2>(panel, size, sums);
  add_outer_products<1>(panel, size, sums);
}

template <typename T, typename Index>
void block_linear_grad_panels(const BlockLinearGradArgs& args, const BlockGradPart& part) {
  using A = acc_t<T>;
  const auto csr = view_csr<Index>(args.csr);
  const int64_t size = args.block;
  const int64_t inputs = csr.num_cols * size;
  const int64_t outputs = csr.num_rows * size;
  A* sums = static_cast<A*>(part.sums);
  const int64_t first = csr.rowptr[part.row_begin];
  const int64_t last = csr.rowptr[part.row_end];
  for (int64_t i = first * size * size; i < last * size * size; ++i) sums[i] = A(0);
  constexpr int64_t kCopied = std::is_same_v<T, A> ? 0 : kGradRows;
  const Buffer<A> x_copy = allocate<A>(kCopied * inputs);
  const Buffer<A> g_copy = allocate<A>(kCopied * outputs);
  if (x_copy == nullptr || g_copy == nullptr) throw std::bad_alloc();
  for (int64_t n = part.sample_begin; n < part.sample_end; n += kGradRows) {
    const int64_t rows = n + kGradRows < part.sample_end ? kGradRows : part.sample_end - n;
    const T* x_rows = static_cast<const T*>(args.x) + n * inputs;
    const T* g_rows = static_cast<const T*>(args.g) + n * outputs;
    const A* x = as_acc_rows(x_rows, rows * inputs, x_copy.get());
    const A* g = as_acc_rows(g_rows, rows * outputs, g_copy.get());
    for (int64_t row = part.row_begin; row < part.row_end; ++row) {
      for (int64_t j = csr.rowptr[row]; j < static_cast<int64_t>(csr.rowptr[row + 1]); ++j) {
        const GradPanel<A> panel{g + row * size, outputs,
                                 x + static_cast<int64_t>(csr.col[j]) * size, inputs, rows};
        add_outer_products(panel, size, sums + j * size * size);
      }
    }
  }
}

}  // namespace sgnn::cpu::SGNN_ISA
