// Exact top-k by radix select over one buffer of ordered keys. The state of the selection lives on
// the device: each pass narrows `threshold` by one digit, from the top.
#pragma once

#include "device/block_scan.cuh"
#include "sgnn/ordered_key.h"

namespace sgnn {

inline constexpr int kTopkThreads = 256;
inline constexpr int kDigitBits = 11;
inline constexpr int kBins = 1 << kDigitBits;
inline constexpr int kTopkChunk = 16 * kTopkThreads;  // consecutive keys whose ties count together
inline constexpr int kTopkLoads = 4;                  // in flight per thread

// After the last pass `threshold` is the k-th largest key and `wanted` how many of the keys equal
// to it are kept, lowest positions first.
template <typename Key>
struct TopkState {
  Key threshold;
  int64_t wanted;
  unsigned long long histogram[kBins];
};

// One digit of a key: bits [shift, shift + width).
struct Digit {
  int shift;
  int width;
};

// Per-block histogram. A thread holds back a run of equal bins, so that constant scores do not
// queue at one shared counter.
class BlockHistogram {
 public:
  __device__ __forceinline__ explicit BlockHistogram(unsigned* counts) : counts_(counts) {
    for (int bin = static_cast<int>(threadIdx.x); bin < kBins; bin += kTopkThreads) counts[bin] = 0;
    __syncthreads();
  }

  __device__ __forceinline__ void add(int bin) {
    if (bin == bin_) {
      ++run_;
      return;
    }
    if (run_ > 0) atomicAdd(&counts_[bin_], run_);
    bin_ = bin;
    run_ = 1;
  }

  // Adds the block's counts to `histogram`; called by every thread, once.
  __device__ __forceinline__ void flush(unsigned long long* histogram) {
    if (run_ > 0) atomicAdd(&counts_[bin_], run_);
    __syncthreads();
    for (int bin = static_cast<int>(threadIdx.x); bin < kBins; bin += kTopkThreads) {
      const unsigned count = counts_[bin];
      if (count > 0) atomicAdd(&histogram[bin], static_cast<unsigned long long>(count));
    }
  }

 private:
  unsigned* counts_;
  int bin_ = -1;
  unsigned run_ = 0;
};

// Calls use(i, load(i)) for this thread's share of [0, count), several loads in flight.
template <typename Load, typename Use>
__device__ __forceinline__ void for_each_item(int64_t count, Load&& load, Use&& use) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kTopkThreads;
  const int64_t start = static_cast<int64_t>(blockIdx.x) * kTopkThreads + threadIdx.x;
  for (int64_t i = start; i < count; i += kTopkLoads * stride) {
    decltype(load(i)) item[kTopkLoads];
#pragma unroll
    for (int s = 0; s < kTopkLoads; ++s) {
      item[s] = load(i + s * stride < count ? i + s * stride : count - 1);
    }
#pragma unroll
    for (int s = 0; s < kTopkLoads; ++s) {
      if (i + s * stride < count) use(i + s * stride, item[s]);
    }
  }
}

template <typename Key>
__global__ void __launch_bounds__(kTopkThreads)
    topk_begin_kernel(TopkState<Key>* state, int64_t k) {
  for (int bin = static_cast<int>(threadIdx.x); bin < kBins; bin += kTopkThreads) {
    state->histogram[bin] = 0;
  }
  if (threadIdx.x == 0) {
    state->threshold = 0;
    state->wanted = k;
  }
}

// Writes one tensor's keys and counts their first digit.
template <typename T>
__global__ void __launch_bounds__(kTopkThreads)
    topk_keys_kernel(const T* scores, int64_t count, ordered_key_t<T>* keys,
                     TopkState<ordered_key_t<T>>* state, Digit digit) {
  SGNN_SHARED(unsigned, counts, kBins);
  BlockHistogram histogram(counts);
  for_each_item(
      count, [&](int64_t i) { return scores[i]; },
      [&](int64_t i, T score) {
        const ordered_key_t<T> key = ordered_key(score);
        keys[i] = key;
        histogram.add(static_cast<int>(key >> digit.shift));
      });
  histogram.flush(state->histogram);
}

// Counts a later digit of the keys that agree with the threshold found so far.
template <typename Key>
__global__ void __launch_bounds__(kTopkThreads)
    topk_digit_kernel(const Key* keys, int64_t count, TopkState<Key>* state, Digit digit) {
  SGNN_SHARED(unsigned, counts, kBins);
  BlockHistogram histogram(counts);
  const int above = digit.shift + digit.width;
  const Key prefix = state->threshold >> above;
  const Key low_bits = (Key(1) << digit.width) - 1;
  for_each_item(
      count, [&](int64_t i) { return keys[i]; },
      [&](int64_t, Key key) {
        if (key >> above == prefix) histogram.add(static_cast<int>(key >> digit.shift & low_bits));
      });
  histogram.flush(state->histogram);
}

// One block: fixes the threshold's digit, reduces `wanted` to the rank inside that bin, and clears
// the histogram. k = 0 takes the highest bin and keeps nothing of it.
template <typename Key>
__global__ void __launch_bounds__(kTopkThreads)
    topk_select_kernel(TopkState<Key>* state, Digit digit) {
  constexpr int kOwn = kBins / kTopkThreads;  // bins of one thread, counted from the top
  const int top = kBins - 1 - static_cast<int>(threadIdx.x) * kOwn;
  const int64_t wanted = state->wanted;
  int64_t count[kOwn];
  int64_t own = 0;
#pragma unroll
  for (int i = 0; i < kOwn; ++i) {
    count[i] = static_cast<int64_t>(state->histogram[top - i]);
    state->histogram[top - i] = 0;
    own += count[i];
  }
  int64_t total;
  int64_t above = block_exclusive_sum<kTopkThreads>(own, &total);
  if (wanted == 0) {
    if (threadIdx.x == 0) state->threshold |= ((Key(1) << digit.width) - 1) << digit.shift;
    return;
  }
#pragma unroll
  for (int i = 0; i < kOwn; ++i) {
    if (above < wanted && wanted <= above + count[i]) {
      state->threshold |= static_cast<Key>(top - i) << digit.shift;
      state->wanted = wanted - above;
    }
    above += count[i];
  }
}

// chunk_ties[c] = number of keys equal to the threshold in chunk c, one block per chunk.
template <typename Key>
__global__ void __launch_bounds__(kTopkThreads)
    topk_ties_kernel(const Key* keys, int64_t count, const TopkState<Key>* state,
                     int64_t* chunk_ties) {
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * kTopkChunk;
  const int64_t end = begin + kTopkChunk < count ? begin + kTopkChunk : count;
  int64_t ties = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kTopkThreads) {
    ties += keys[i] == state->threshold ? 1 : 0;
  }
  int64_t total;
  block_exclusive_sum<kTopkThreads>(ties, &total);
  if (threadIdx.x == 0) chunk_ties[blockIdx.x] = total;
}

// One block: replaces each chunk's ties by the ties before the chunk.
template <typename Count>
__global__ void __launch_bounds__(kTopkThreads)
    topk_scan_kernel(Count* chunk_ties, int64_t chunks) {
  Count before = 0;
  for (int64_t first = 0; first < chunks; first += kTopkThreads) {
    const int64_t i = first + threadIdx.x;
    int64_t total;
    const int64_t own = block_exclusive_sum<kTopkThreads>(i < chunks ? chunk_ties[i] : 0, &total);
    if (i < chunks) chunk_ties[i] = before + own;
    before += total;
  }
}

// Writes keep[i - begin] for the positions i in [begin, end) of one tensor, one block per chunk
// from `first_chunk` on. A tie is kept while fewer than `wanted` ties lie before it; only the chunk
// where the ties run out ranks them, always from its own start.
template <typename Key>
__global__ void __launch_bounds__(kTopkThreads)
    topk_write_kernel(const Key* keys, int64_t begin, int64_t end, const TopkState<Key>* state,
                      const int64_t* ties_before, int64_t first_chunk, uint8_t* keep) {
  const int64_t chunk = first_chunk + blockIdx.x;
  const Key threshold = state->threshold;
  const int64_t wanted = state->wanted;
  int64_t rank = ties_before[chunk];
  const int64_t start = chunk * kTopkChunk;
  const int64_t stop = start + kTopkChunk < end ? start + kTopkChunk : end;
  const bool ranked = rank < wanted && rank + kTopkChunk > wanted;
  for (int64_t first = start; first < stop; first += kTopkThreads) {
    const int64_t i = first + threadIdx.x;
    const Key key = i < stop ? keys[i] : Key(0);
    const bool tie = i < stop && key == threshold;
    int64_t own = 0;
    if (ranked) {
      int64_t total;
      own = rank + block_exclusive_sum<kTopkThreads>(tie ? 1 : 0, &total);
      rank += total;
    } else {
      own = rank;
    }
    if (i >= begin && i < stop) {
      keep[i - begin] = key > threshold || (tie && own < wanted) ? 1 : 0;
    }
  }
}

}  // namespace sgnn
