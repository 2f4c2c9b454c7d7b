// Kernels of the in-place mask update around two exact selections.
#pragma once

#include "topk_mask.cuh"

namespace sgnn {

// Counts that stay on the device.
struct DropAndGrowCounts {
  unsigned long long active;
  int64_t k;  // lowered to what is possible
};

__global__ void __launch_bounds__(32) drop_grow_begin_kernel(DropAndGrowCounts* counts) {
  if (threadIdx.x == 0) counts->active = 0;
}

// Keys of the scores whose mask byte is set (or clear), kAbsentKey for the others; counts the first
// digit and, unless `taking_part` is null, how many take part.
template <typename T>
__global__ void __launch_bounds__(kTopkThreads)
    drop_grow_keys_kernel(const T* scores, bool magnitude, const uint8_t* mask, bool mask_value,
                          int64_t count, ordered_key_t<T>* keys, TopkState<ordered_key_t<T>>* state,
                          Digit digit, unsigned long long* taking_part) {
  using Key = ordered_key_t<T>;
  SGNN_SHARED(unsigned, counts, kBins);
  BlockHistogram histogram(counts);
  int64_t own = 0;
  for_each_item(
      count, [&](int64_t i) { return scores[i]; },
      [&](int64_t i, T score) {
        const bool part = (mask[i] != 0) == mask_value;
        const Key key = part ? ordered_key(score, magnitude) : Key(kAbsentKey);
        keys[i] = key;
        own += part ? 1 : 0;
        histogram.add(static_cast<int>(key >> digit.shift));
      });
  histogram.flush(state->histogram);
  if (taking_part == nullptr) return;
  int64_t total;
  block_exclusive_sum<kTopkThreads>(own, &total);
  if (threadIdx.x == 0) atomicAdd(taking_part, static_cast<unsigned long long>(total));
}

// Lowers k to what is possible and sets how many active entries stay.
template <typename Key>
__global__ void __launch_bounds__(32)
    drop_grow_keep_kernel(DropAndGrowCounts* counts, TopkState<Key>* state, int64_t size, int64_t k,
                          bool regrow) {
  if (threadIdx.x != 0) return;
  const int64_t active = static_cast<int64_t>(counts->active);
  const int64_t room = regrow ? active : size - active;
  const int64_t possible = active < room ? active : room;
  counts->k = k < possible ? k : possible;
  state->wanted = active - counts->k;
}

template <typename Key>
__global__ void __launch_bounds__(32)
    drop_grow_grow_kernel(const DropAndGrowCounts* counts, TopkState<Key>* state) {
  if (threadIdx.x == 0) state->wanted = counts->k;
}

// Where kept | grown differs from the mask: data = init (or 0) where grown, 0 where dropped.
template <typename Word>
__global__ void __launch_bounds__(kTopkThreads)
    drop_grow_reset_kernel(const uint8_t* mask, const uint8_t* kept, const uint8_t* grown,
                           int64_t count, const Word* init, Word* data) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kTopkThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kTopkThreads + threadIdx.x; i < count;
       i += stride) {
    const bool now = (kept[i] | grown[i]) != 0;
    if (now == (mask[i] != 0)) continue;
    data[i] = now && init != nullptr ? init[i] : Word(0);
  }
}

template <typename Byte>
__global__ void __launch_bounds__(kTopkThreads)
    drop_grow_mask_kernel(Byte* mask, const Byte* kept, const Byte* grown, int64_t count) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kTopkThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kTopkThreads + threadIdx.x; i < count;
       i += stride) {
    const Byte now = kept[i] | grown[i];
    if ((now != 0) != (mask[i] != 0)) mask[i] = now;
  }
}

}  // namespace sgnn
