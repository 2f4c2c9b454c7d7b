// A tile of columns of a dense row, spread over a group of lanes: 16 bytes of the row per lane.
//
// Aligned tiles give a lane consecutive columns and move them in one access. Striped tiles give it
// every `lanes`-th column, one element per access, for rows whose width, stride or address is no
// multiple of 16 bytes. Loads are unconditional: columns past the width repeat a column inside it.
#pragma once

#include <cstring>
#include <type_traits>

#include "device/platform.cuh"
#include "sgnn/types.h"

namespace sgnn {

template <typename T>
inline constexpr int kItems = 16 / static_cast<int>(sizeof(T));

template <typename T>
struct alignas(16) Pack {
  T item[kItems<T>];
};

template <typename T, bool kAligned>
class Tile {
 public:
  // `lane` in [0, lanes); the tile covers columns [first, first + lanes * kItems<T>) below `width`.
  __device__ __forceinline__ Tile(int64_t first, int lane, int lanes, int64_t width)
      : first_(first),
        start_(kAligned ? lane * kItems<T> : lane),
        step_(kAligned ? 1 : lanes),
        count_(width - first < lanes * kItems<T> ? static_cast<int>(width - first)
                                                 : lanes * kItems<T>) {}

  __device__ __forceinline__ int64_t column(int item) const { return first_ + local(item); }

  // An aligned width is a multiple of kItems<T>: its items are inside or outside together.
  __device__ __forceinline__ bool inside(int item) const {
    return (kAligned ? start_ : local(item)) < count_;
  }

  __device__ __forceinline__ Pack<T> load(const T* row) const {
    const T* tile = row + first_;
    Pack<T> pack;
    if constexpr (kAligned) {
      const uint4 raw = __ldg(reinterpret_cast<const uint4*>(tile + (inside(0) ? start_ : 0)));
      memcpy(&pack, &raw, sizeof(pack));
    } else {
#pragma unroll
      for (int i = 0; i < kItems<T>; ++i) pack.item[i] = tile[inside(i) ? local(i) : count_ - 1];
    }
    return pack;
  }

  // The lane's items of an aligned `row` of another type: 8 or 16 bytes per access.
  template <typename O>
  __device__ __forceinline__ void load_as(const O* row, O* item) const {
    const O* tile = row + first_;
    if constexpr (kAligned) {
      using Raw = RawOf<O>;
      constexpr int kEach = static_cast<int>(sizeof(Raw) / sizeof(O));
#pragma unroll
      for (int i = 0; i < kItems<T>; i += kEach) {
        const Raw raw = __ldg(reinterpret_cast<const Raw*>(tile + (inside(0) ? start_ : 0) + i));
        memcpy(item + i, &raw, sizeof(raw));
      }
    } else {
#pragma unroll
      for (int i = 0; i < kItems<T>; ++i) item[i] = tile[inside(i) ? local(i) : count_ - 1];
    }
  }

  __device__ __forceinline__ void store(T* row, const Pack<T>& pack) const {
    store_as(row, pack.item);
  }

  // The lane's items in another type, for an aligned `row` of it: 8 or 16 bytes per access.
  template <typename O>
  __device__ __forceinline__ void store_as(O* row, const O* item) const {
    O* tile = row + first_;
    if constexpr (kAligned) {
      using Raw = RawOf<O>;
      constexpr int kEach = static_cast<int>(sizeof(Raw) / sizeof(O));
      if (!inside(0)) return;
#pragma unroll
      for (int i = 0; i < kItems<T>; i += kEach) {
        Raw raw;
        memcpy(&raw, item + i, sizeof(raw));
        *reinterpret_cast<Raw*>(tile + start_ + i) = raw;
      }
    } else {
#pragma unroll
      for (int i = 0; i < kItems<T>; ++i) {
        if (inside(i)) tile[local(i)] = item[i];
      }
    }
  }

 private:
  template <typename O>
  using RawOf = std::conditional_t<kItems<T> * sizeof(O) == 8, uint2, uint4>;

  __device__ __forceinline__ int local(int item) const { return start_ + item * step_; }

  int64_t first_;
  int start_;
  int step_;
  int count_;
};

// How a warp covers rows of `width` elements: `lanes` per row and tile, a power of two.
struct TileShape {
  int lanes;
  int64_t columns;  // of one tile
  int64_t tiles;
};

template <typename T>
inline TileShape tile_shape(int64_t width) {
  int lanes = 1;
  while (lanes < kWarpSize && static_cast<int64_t>(lanes) * kItems<T> < width) lanes *= 2;
  const int64_t columns = static_cast<int64_t>(lanes) * kItems<T>;
  return {lanes, columns, ceil_div(width, columns)};
}

// True when every row of a matrix can be moved in 16-byte accesses.
template <typename T>
inline bool rows_aligned(const void* data, int64_t stride, int64_t width) {
  return reinterpret_cast<uintptr_t>(data) % 16 == 0 && stride % kItems<T> == 0 &&
         width % kItems<T> == 0;
}

}  // namespace sgnn
