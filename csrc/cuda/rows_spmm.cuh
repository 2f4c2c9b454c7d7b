// Products with sparse rows. A warp is cut into groups of `lanes` lanes, one per sparse row in
// flight: a group loads a row's entries side by side.
#pragma once

#include "device/any_index.cuh"
#include "device/edges.cuh"
#include "sgnn/sparse_rows.h"

namespace sgnn {

inline constexpr int kRowsThreads = 128;
inline constexpr int kRowsWarps = kRowsThreads / kWarpSize;
inline constexpr int kRowsTile = 512;  // columns of y whose sums a warp keeps in shared memory

template <typename T, typename Id>
struct RowsSpmmParams {
  using Acc = acc_t<T>;
  AnyCsr csr;
  EdgeFactors<Acc> factors;
  const Acc* row_scale;  // by row of csr, or null
  RowsView<Id> x;
  const T* x_values;
  int lanes;   // per sparse row: a power of two, all 32 for the CSR form
  T* y;        // [M, F] contiguous
  const T* g;  // [M, F]
  int64_t g_stride;
  Acc* edges;  // by edge id
  T* values;   // [nnz of x]
  int split;   // warps per row in rows_spmm_values_kernel: 1, or all of a block
};

// Where a staged edge's sparse row lies, and the row of y and g it belongs to.
template <typename Acc>
struct alignas(16) RowsEdge {
  int64_t begin;
  int64_t end;
  int64_t row;
  int64_t id;
  Acc coefficient;
};

// Stages the kept edges of positions [first, min(first + 32, end)): fill(edge, position, id). The
// number kept is the same in every lane.
template <typename T, typename Id, typename Fill, typename Drop>
__device__ __forceinline__ int stage_rows(const RowsSpmmParams<T, Id>& p,
                                          RowsEdge<acc_t<T>>* staged, int64_t first, int64_t end,
                                          Fill&& fill, Drop&& drop) {
  const unsigned lane = threadIdx.x % kWarpSize;
  const int64_t position = first + lane;
  const bool valid = position < end;
  const int64_t id = valid ? p.csr.value_index(position) : 0;
  const bool kept = valid && p.factors.keeps(id);
  const unsigned votes = __ballot_sync(kFullWarp, kept);
  if (kept) {
    RowsEdge<acc_t<T>>& edge = staged[__popc(votes & ((1u << lane) - 1u))];
    edge.id = id;
    fill(edge, p.csr.col[position], position);
  } else if (valid) {
    drop(id);
  }
  __syncwarp();
  return __popc(votes);
}

// The sum of the entries that share the column of entry p, when p is the first of them; parallel
// entries of the CSR form lie side by side.
template <typename T, typename Id>
__device__ __forceinline__ acc_t<T> column_value(const RowsSpmmParams<T, Id>& params, int64_t p,
                                                 int64_t begin, int64_t end) {
  const Id* ids = params.x.ids;
  acc_t<T> value = to_acc(params.x_values[p]);
  if (params.x.rowptr == nullptr) return value;
  if (p > begin && ids[p - 1] == ids[p]) return acc_t<T>(0);
  for (int64_t next = p + 1; next < end && ids[next] == ids[p]; ++next) {
    value += to_acc(params.x_values[next]);
  }
  return value;
}

// Adds the staged rows to the sums of columns [first, first + kRowsTile). The groups take turns, in
// the order of the edges: no two lanes add to one column at a time, and the order never changes.
template <typename T, typename Id>
__device__ __forceinline__ void add_rows(const RowsSpmmParams<T, Id>& p,
                                         const RowsEdge<acc_t<T>>* staged, int count, int64_t first,
                                         acc_t<T>* sums) {
  using Acc = acc_t<T>;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int groups = kWarpSize / p.lanes;
  const int group = lane / p.lanes;
  for (int n = 0; n < count; n += groups) {
    const RowsEdge<Acc> edge = staged[n + group < count ? n + group : count - 1];
    const bool live = n + group < count;
    // Rows of the fixed form have one length; a row of the CSR form has the warp to itself.
    for (int64_t t = 0; t < edge.end - edge.begin; t += p.lanes) {
      const int64_t at = edge.begin + t + lane % p.lanes;
      const bool inside = live && at < edge.end;
      const int64_t column = inside ? static_cast<int64_t>(p.x.ids[at]) - first : -1;
      const bool adds = column >= 0 && column < kRowsTile;
      const Acc term = adds ? edge.coefficient * column_value(p, at, edge.begin, edge.end) : Acc(0);
      for (int turn = 0; turn < groups; ++turn) {
        if (adds && turn == group) sums[column] += term;
        __syncwarp();
      }
    }
  }
}

template <typename T, typename Id>
__global__ void __launch_bounds__(kRowsThreads, 8) rows_spmm_kernel(RowsSpmmParams<T, Id> p) {
  using Acc = acc_t<T>;
  SGNN_SHARED(RowsEdge<Acc>, all_staged, kRowsThreads);
  SGNN_SHARED(Acc, all_sums, kRowsWarps * kRowsTile);
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  RowsEdge<Acc>* staged = all_staged + warp * kWarpSize;
  Acc* sums = all_sums + warp * kRowsTile;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kRowsWarps + warp;
  if (row >= p.csr.num_rows) return;
  const int64_t begin = p.csr.rowptr[row];
  const int64_t end = p.csr.rowptr[row + 1];
  const Acc scale = p.row_scale == nullptr ? Acc(1) : p.row_scale[row];
  const int64_t width = p.x.num_cols;
  for (int64_t first = static_cast<int64_t>(blockIdx.y) * kRowsTile; first < width;
       first += static_cast<int64_t>(gridDim.y) * kRowsTile) {
    const int columns = static_cast<int>(width - first < kRowsTile ? width - first : kRowsTile);
    for (int c = lane; c < columns; c += kWarpSize) sums[c] = Acc(0);
    __syncwarp();
    for (int64_t position = begin; position < end; position += kWarpSize) {
      const int count = stage_rows(
          p, staged, position, end,
          [&](RowsEdge<Acc>& edge, int64_t col, int64_t) {
            edge.begin = p.x.begin(col);
            edge.end = p.x.end(col);
            edge.coefficient = p.factors.coefficient(edge.id, col);
          },
          [](int64_t) {});
      add_rows(p, staged, count, first, sums);
      __syncwarp();
    }
    T* y = p.y + row * width + first;
    for (int c = lane; c < columns; c += kWarpSize) y[c] = from_acc<T>(sums[c] * scale);
    __syncwarp();
  }
}

// A warp per 32 stored positions, whatever rows they lie in; a group per dot product.
template <typename T, typename Id>
__global__ void __launch_bounds__(kRowsThreads) rows_spmm_edges_kernel(RowsSpmmParams<T, Id> p) {
  using Acc = acc_t<T>;
  SGNN_SHARED(RowsEdge<Acc>, all_staged, kRowsThreads);
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  RowsEdge<Acc>* staged = all_staged + warp * kWarpSize;
  const int64_t first = (static_cast<int64_t>(blockIdx.x) * kRowsWarps + warp) * kWarpSize;
  if (first >= p.csr.nnz) return;
  const int count = stage_rows(
      p, staged, first, p.csr.nnz,
      [&](RowsEdge<Acc>& edge, int64_t col, int64_t position) {
        edge.begin = p.x.begin(col);
        edge.end = p.x.end(col);
        edge.row = p.csr.row_of(position);
        const Acc scale = p.row_scale == nullptr ? Acc(1) : p.row_scale[edge.row];
        edge.coefficient = scale * p.factors.coefficient(edge.id, col);
      },
      [&](int64_t id) { p.edges[id] = Acc(0); });
  const int groups = kWarpSize / p.lanes;
  for (int n = 0; n < count; n += groups) {
    const int slot = n + lane / p.lanes;
    const RowsEdge<Acc> edge = staged[slot < count ? slot : count - 1];
    const T* g = p.g + edge.row * p.g_stride;
    Acc dot = 0;
    for (int64_t at = edge.begin + lane % p.lanes; at < edge.end; at += p.lanes) {
      dot += to_acc(p.x_values[at]) * to_acc(g[p.x.ids[at]]);
    }
    dot = sum_lanes(dot, 1, p.lanes);
    if (lane % p.lanes == 0 && slot < count) p.edges[edge.id] = edge.coefficient * dot;
  }
}

// `split` warps per row of x, one lane per entry and group: the groups of these warps share the
// edges, and their sums are added in a fixed order. Here csr is the transpose.
template <typename T, typename Id>
__global__ void __launch_bounds__(kRowsThreads) rows_spmm_values_kernel(RowsSpmmParams<T, Id> p) {
  using Acc = acc_t<T>;
  SGNN_SHARED(RowsEdge<Acc>, all_staged, kRowsThreads);
  SGNN_SHARED(Acc, parts, kRowsThreads);
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  RowsEdge<Acc>* staged = all_staged + warp * kWarpSize;
  const int64_t row = (static_cast<int64_t>(blockIdx.x) * kRowsWarps + warp) / p.split;
  const int part = warp % p.split;
  if (row >= p.csr.num_rows) return;
  const int64_t end = p.csr.rowptr[row + 1];
  const int groups = kWarpSize / p.lanes;
  const Acc scale = p.row_scale == nullptr ? Acc(1) : p.row_scale[row];
  for (int64_t chunk = p.x.begin(row); chunk < p.x.end(row); chunk += p.lanes) {
    const int64_t at = chunk + lane % p.lanes;
    const bool inside = at < p.x.end(row);
    const int64_t column = inside ? static_cast<int64_t>(p.x.ids[at]) : 0;
    Acc sum = 0;
    for (int64_t position = p.csr.rowptr[row] + part * kWarpSize; position < end;
         position += static_cast<int64_t>(p.split) * kWarpSize) {
      const int count = stage_rows(
          p, staged, position, end,
          [&](RowsEdge<Acc>& edge, int64_t col, int64_t) {
            edge.row = col;
            edge.coefficient = p.factors.coefficient(edge.id, col);
          },
          [](int64_t) {});
      for (int n = lane / p.lanes; n < count; n += groups) {
        sum += staged[n].coefficient * to_acc(p.g[staged[n].row * p.g_stride + column]);
      }
      __syncwarp();
    }
    sum = sum_lanes(sum, p.lanes, kWarpSize);
    if (p.split > 1) {
      parts[threadIdx.x] = sum;
      __syncthreads();
      sum = 0;
      for (int w = 0; w < kRowsWarps; ++w) sum += parts[w * kWarpSize + lane];
      __syncthreads();
    }
    if (part == 0 && inside && lane < p.lanes) p.values[at] = from_acc<T>(sum * scale);
  }
}

}  // namespace sgnn
