// A tile of columns of a dense row: kTile whole vectors, or one of `count` elements.
#pragma once

#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

template <int kTile, bool kPartial, typename T>
SGNN_INLINE vec_t<acc_t<T>> load_tile(const T* row, int v, int count) {
  if constexpr (kPartial) return load_partial<T>(row, count);
  return load(row + v * kLanes<acc_t<T>>);
}

template <int kTile, bool kPartial, typename T>
SGNN_INLINE void store_tile(T* row, int v, int count, vec_t<acc_t<T>> value) {
  if constexpr (kPartial) {
    store_partial<T>(row, value, count);
  } else {
    store(row + v * kLanes<acc_t<T>>, value);
  }
}

// How many edges ahead of its use a tile is asked for: about as many lines as a core has in flight.
template <int kTile, typename T>
constexpr int prefetch_distance() {
  constexpr int kBytes = kTile * kLanes<acc_t<T>> * static_cast<int>(sizeof(T));
  return kBytes >= 1024 ? 6 : kBytes >= 512 ? 10 : kBytes >= 256 ? 12 : 16;
}

// Asks for the tile of a row that will be gathered. Its caller must have an effect of its own: GCC
// takes a function that only prefetches for one without effects and drops its calls.
template <int kTile, typename T>
SGNN_INLINE void prefetch_tile(const T* row) {
  constexpr int kLine = 64 / static_cast<int>(sizeof(T));
#pragma GCC unroll 16
  for (int i = 0; i < kTile * kLanes<acc_t<T>>; i += kLine) __builtin_prefetch(row + i, 0, 3);
}

template <int kVectors, bool kCut>
struct TileShape {
  static constexpr int kTile = kVectors;
  static constexpr bool kPartial = kCut;
};

// Cuts columns [first, last) into tiles, the widest first: calls body(TileShape, column, count)
// where `count` is the number of columns of the tile.
template <int kMaxTile, typename A, typename Body>
SGNN_INLINE void for_each_tile(int64_t first, int64_t last, const Body& body) {
  constexpr int kColumns = kMaxTile * kLanes<A>;
  for (; first + kColumns <= last; first += kColumns) {
    body(TileShape<kMaxTile, false>{}, first, kColumns);
  }
  if constexpr (kMaxTile > 1) {
    for_each_tile<kMaxTile / 2, A>(first, last, body);
  } else if (first < last) {
    body(TileShape<1, true>{}, first, static_cast<int>(last - first));
  }
}

}  // namespace sgnn::cpu::SGNN_ISA
