// Top-k of rows: a warp owns a row and bisects on ballot counts of its keys.
#pragma once

#include "device/platform.cuh"
#include "sgnn/row_select.h"
#include "sgnn/types.h"

namespace sgnn {

inline constexpr int kTopkRowsThreads = 128;
inline constexpr int kTopkRowsWarps = kTopkRowsThreads / kWarpSize;

template <typename T, typename Id>
struct TopkRowsParams {
  int64_t num_rows;  // N
  int64_t width;     // F
  int64_t k;
  bool magnitude;
  const T* x;  // [N, F]
  int64_t x_stride;
  T* values;  // [N, k]
  Id* ids;    // [N, k]
};

// The keys of one row: step s holds those of columns [32 s, 32 s + 32), one per lane. The first
// kSteps are kept in registers; with kSteps = 0 all are read from memory again each time.
template <typename T, int kSteps>
class WarpKeys {
 public:
  using Key = row_key_t<acc_t<T>>;

  __device__ __forceinline__ WarpKeys(const T* row, int64_t width, bool magnitude)
      : row_(row),
        width_(width),
        magnitude_(magnitude),
        lane_(static_cast<int>(threadIdx.x) % kWarpSize) {
#pragma unroll
    for (int step = 0; step < kSteps; ++step) keys_[step] = read(step);
  }

  __device__ __forceinline__ int64_t column(int64_t step) const { return step * kWarpSize + lane_; }

  // Calls use(step, key) for every step; all lanes take part.
  template <typename Use>
  __device__ __forceinline__ void for_each(Use&& use) const {
    if constexpr (kSteps > 0) {
#pragma unroll
      for (int step = 0; step < kSteps; ++step) use(step, keys_[step]);
    } else {
      const int64_t steps = ceil_div(width_, kWarpSize);
      for (int64_t step = 0; step < steps; ++step) use(step, read(step));
    }
  }

 private:
  __device__ __forceinline__ Key read(int64_t step) const {
    const int64_t at = column(step);
    return at < width_ ? row_key(to_acc(row_[at]), magnitude_) : kNoKey<Key>;
  }

  const T* row_;
  int64_t width_;
  bool magnitude_;
  int lane_;
  Key keys_[kSteps > 0 ? kSteps : 1];
};

template <typename T, int kSteps>
__device__ __forceinline__ RowSelect<acc_t<T>> select_row(const WarpKeys<T, kSteps>& keys,
                                                          int64_t width, int64_t k) {
  using Key = row_key_t<acc_t<T>>;
  Key lowest = kMaxKey<Key>;
  Key highest = kNoKey<Key>;
  keys.for_each([&](int64_t, Key key) {
    if (key != kNoKey<Key> && key < lowest) lowest = key;
    if (key > highest) highest = key;
  });
#pragma unroll
  for (int offset = 1; offset < kWarpSize; offset *= 2) {
    const Key low = __shfl_xor_sync(kFullWarp, lowest, offset);
    const Key high = __shfl_xor_sync(kFullWarp, highest, offset);
    lowest = low < lowest ? low : lowest;
    highest = high > highest ? high : highest;
  }
  RowSelect<acc_t<T>> search(lowest, highest, width, k);
  while (!search.done()) {
    const Key probe = search.probe();
    int64_t above = 0;
    keys.for_each(
        [&](int64_t, Key key) { above += __popc(__ballot_sync(kFullWarp, key > probe)); });
    search.update(probe, above);
  }
  return search;
}

// Resident blocks asked of the compiler: left to itself it spills for sm_100 and later.
template <typename T, int kSteps>
inline constexpr int kTopkRowsBlocks = kSteps < 32     ? 8
                                       : sizeof(T) < 8 ? 6
                                                       : 4;

template <typename T, typename Id, int kSteps>
__global__ void __launch_bounds__(kTopkRowsThreads, (kTopkRowsBlocks<T, kSteps>))
    topk_rows_kernel(TopkRowsParams<T, Id> p) {
  using Key = row_key_t<acc_t<T>>;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kTopkRowsWarps + warp;
  if (row >= p.num_rows) return;
  const T* x = p.x + row * p.x_stride;
  const WarpKeys<T, kSteps> keys(x, p.width, p.magnitude);
  const RowSelect<acc_t<T>> search = select_row<T, kSteps>(keys, p.width, p.k);
  const Key threshold = search.threshold();
  const unsigned before = (1u << (threadIdx.x % kWarpSize)) - 1u;
  int64_t ties = search.ties();  // still to keep
  int64_t place = row * p.k;     // of the next kept entry
  keys.for_each([&](int64_t step, Key key) {
    const unsigned tied = __ballot_sync(kFullWarp, key == threshold);
    const bool kept = key > threshold || (key == threshold && __popc(tied & before) < ties);
    const unsigned votes = __ballot_sync(kFullWarp, kept);
    if (kept) {
      const int64_t at = place + __popc(votes & before);
      p.values[at] = x[keys.column(step)];
      p.ids[at] = static_cast<Id>(keys.column(step));
    }
    place += __popc(votes);
    ties -= __popc(tied) < ties ? __popc(tied) : ties;
  });
}

}  // namespace sgnn
