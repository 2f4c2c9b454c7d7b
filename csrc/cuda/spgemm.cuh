// Sparse by sparse into CSR. A warp per row of C goes over its columns in tiles that fit in shared
// memory: bits for the pattern, sums for the values.
#pragma once

#include "device/any_index.cuh"
#include "device/edges.cuh"
#include "sgnn/spgemm.h"

namespace sgnn {

inline constexpr int kSpgemmThreads = 128;
inline constexpr int kSpgemmWarps = kSpgemmThreads / kWarpSize;
inline constexpr int kSpgemmWords = 256;  // of 32 columns each, of a pattern tile
inline constexpr int kSpgemmSums = 512;   // columns of a value tile

struct SpgemmParams {
  AnyCsr a;
  AnyCsr b;
  AnyCsr c;
  int64_t num_cols;
  const void* a_values;
  const void* b_values;
  const void* g;
};

__device__ __forceinline__ int64_t spgemm_warp() {
  return static_cast<int64_t>(blockIdx.x) * kSpgemmWarps + threadIdx.x / kWarpSize;
}

// Calls use(e, begin, end) for every entry e of a row of A: [begin, end) is its row of B.
template <typename Use>
__device__ __forceinline__ void for_each_b_row(const SpgemmParams& p, int64_t row, Use&& use) {
  const int64_t end = p.a.rowptr[row + 1];
  for (int64_t e = p.a.rowptr[row]; e < end; ++e) {
    const int64_t j = p.a.col[e];
    use(e, p.b.rowptr[j], p.b.rowptr[j + 1]);
  }
}

// Where column `column` stands in [begin, end) of the ascending columns of C; it is there.
__device__ __forceinline__ int64_t place_of(const AnyCsr& c, int64_t begin, int64_t end,
                                            int64_t column) {
  while (end - begin > 1) {
    const int64_t middle = begin + (end - begin) / 2;
    if (c.col[middle] <= column) {
      begin = middle;
    } else {
      end = middle;
    }
  }
  return begin;
}

// sizes[row], or with kWrite the columns of the row from c.rowptr[row] on.
template <bool kWrite, typename Out>
__global__ void __launch_bounds__(kSpgemmThreads, 8)
    spgemm_pattern_kernel(SpgemmParams p, Out* out) {
  SGNN_SHARED(unsigned, all_words, kSpgemmWarps* kSpgemmWords);
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  unsigned* words = all_words + static_cast<int>(threadIdx.x) / kWarpSize * kSpgemmWords;
  const int64_t row = spgemm_warp();
  if (row >= p.a.num_rows) return;
  constexpr int64_t kTile = int64_t{kSpgemmWords} * 32;
  int64_t next = kWrite ? p.c.rowptr[row] : 0;
  for (int64_t first = 0; first < p.num_cols; first += kTile) {
    for (int w = lane; w < kSpgemmWords; w += kWarpSize) words[w] = 0;
    __syncwarp();
    for_each_b_row(p, row, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t q = begin + lane; q < end; q += kWarpSize) {
        const int64_t column = p.b.col[q] - first;
        if (column < 0 || column >= kTile) continue;
        atomicOr(words + column / 32, 1u << (column % 32));
      }
    });
    __syncwarp();
    for (int base = 0; base < kSpgemmWords; base += kWarpSize) {
      unsigned word = words[base + lane];
      const int count = __popc(word);
      int up_to = count;
      for (int offset = 1; offset < kWarpSize; offset *= 2) {
        const int below = __shfl_up_sync(kFullWarp, up_to, offset);
        if (lane >= offset) up_to += below;
      }
      if constexpr (kWrite) {
        int64_t at = next + up_to - count;
        for (; word != 0; word &= word - 1) {
          out[at++] = static_cast<Out>(first + (base + lane) * 32 + __ffs(word) - 1);
        }
      }
      next += __shfl_sync(kFullWarp, up_to, kWarpSize - 1);
    }
    __syncwarp();
  }
  if (!kWrite && lane == 0) out[row] = static_cast<Out>(next);
}

// The sum of the entries of B that share the column of entry q, the first of them.
template <typename T>
__device__ __forceinline__ acc_t<T> place_value(const SpgemmParams& p, int64_t q, int64_t end) {
  const T* values = static_cast<const T*>(p.b_values);
  acc_t<T> value = to_acc(values[q]);
  const int64_t column = p.b.col[q];
  for (int64_t n = q + 1; n < end && p.b.col[n] == column; ++n) value += to_acc(values[n]);
  return value;
}

// The entries of A take their turns in stored order, so the order of a sum never changes.
template <typename T>
__global__ void __launch_bounds__(kSpgemmThreads, 8) spgemm_values_kernel(SpgemmParams p, T* out) {
  using Acc = acc_t<T>;
  SGNN_SHARED(Acc, all_sums, kSpgemmWarps * kSpgemmSums);
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  Acc* sums = all_sums + static_cast<int>(threadIdx.x) / kWarpSize * kSpgemmSums;
  const int64_t row = spgemm_warp();
  if (row >= p.a.num_rows) return;
  const Acc* weight = static_cast<const Acc*>(p.a_values);
  const int64_t c_end = p.c.rowptr[row + 1];
  int64_t c_begin = p.c.rowptr[row];
  while (c_begin < c_end) {  // a tile begins at the first column that is left
    const int64_t first = p.c.col[c_begin];
    for (int s = lane; s < kSpgemmSums; s += kWarpSize) sums[s] = Acc(0);
    __syncwarp();
    for_each_b_row(p, row, [&](int64_t e, int64_t begin, int64_t end) {
      for (int64_t q = begin + lane; q < end; q += kWarpSize) {
        const int64_t column = p.b.col[q] - first;
        if (column < 0 || column >= kSpgemmSums) continue;
        const bool repeated = q > begin && p.b.col[q - 1] - first == column;
        if (!repeated) sums[column] += weight[e] * place_value<T>(p, q, end);
      }
      __syncwarp();
    });
    int64_t done = c_begin;
    for (int64_t at = c_begin + lane; at < c_end; at += kWarpSize) {
      const int64_t column = p.c.col[at] - first;
      if (column >= kSpgemmSums) break;
      out[at] = from_acc<T>(sums[column]);
      done = at + 1;
    }
    for (int offset = kWarpSize / 2; offset > 0; offset /= 2) {
      const int64_t other = __shfl_xor_sync(kFullWarp, done, offset);
      done = other > done ? other : done;
    }
    c_begin = done;
    __syncwarp();
  }
}

// A warp per entry of A.
template <typename T>
__global__ void __launch_bounds__(kSpgemmThreads)
    spgemm_grad_a_kernel(SpgemmParams p, acc_t<T>* da) {
  using Acc = acc_t<T>;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int64_t e = spgemm_warp();
  if (e >= p.a.nnz) return;
  const int64_t row = p.a.row_of(e);
  const int64_t c_begin = p.c.rowptr[row];
  const int64_t c_end = p.c.rowptr[row + 1];
  const int64_t j = p.a.col[e];
  const int64_t end = p.b.rowptr[j + 1];
  const T* b = static_cast<const T*>(p.b_values);
  const T* g = static_cast<const T*>(p.g);
  Acc sum = 0;
  for (int64_t q = p.b.rowptr[j] + lane; q < end; q += kWarpSize) {
    sum += to_acc(b[q]) * to_acc(g[place_of(p.c, c_begin, c_end, p.b.col[q])]);
  }
  sum = sum_lanes(sum, 1, kWarpSize);
  if (lane == 0) da[e] = sum;
}

// A warp per entry of B: its lanes share the entries of A above it.
template <typename T>
__global__ void __launch_bounds__(kSpgemmThreads)
    spgemm_grad_b_kernel(SpgemmParams p, AnyCsr transposed, T* db) {
  using Acc = acc_t<T>;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int64_t q = spgemm_warp();
  if (q >= p.b.nnz) return;
  const int64_t j = p.b.row_of(q);
  const int64_t column = p.b.col[q];
  const int64_t end = transposed.rowptr[j + 1];
  const Acc* a = static_cast<const Acc*>(p.a_values);
  const T* g = static_cast<const T*>(p.g);
  Acc sum = 0;
  for (int64_t position = transposed.rowptr[j] + lane; position < end; position += kWarpSize) {
    const int64_t row = transposed.col[position];
    const int64_t at = place_of(p.c, p.c.rowptr[row], p.c.rowptr[row + 1], column);
    sum += a[transposed.value_index(position)] * to_acc(g[at]);
  }
  sum = sum_lanes(sum, 1, kWarpSize);
  if (lane == 0) db[q] = from_acc<T>(sum);
}

}  // namespace sgnn
