// The dropout bits of consecutive elements: Philox on a vector of counters at a time, the same
// numbers as sgnn/random.h.
#pragma once

#include <cstring>
#include <type_traits>
#include <utility>

#include "sgnn/random.h"
#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

constexpr int kCounters = SGNN_VECTOR_BYTES / 8;  // per vector, one to a 64-bit lane
typedef uint64_t u64_vec __attribute__((vector_size(SGNN_VECTOR_BYTES)));

// Products of the low halves of every lane.
SGNN_INLINE u64_vec multiply_low(u64_vec a, u64_vec b) {
#if defined(__AVX512F__)
  return reinterpret_cast<u64_vec>(
      _mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<u64_vec>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#else
  return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

template <int... kLane>
SGNN_INLINE u64_vec lane_numbers(std::integer_sequence<int, kLane...>) {
  return u64_vec{kLane...};
}

// The four words of the counters [first, first + kCounters), two to a lane: low words first.
SGNN_INLINE void philox_vec(uint64_t seed, uint64_t first, u64_vec* low, u64_vec* high) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53u, kMultiplier1 = 0xCD9E8D57u;
  constexpr uint32_t kWeyl0 = 0x9E3779B9u, kWeyl1 = 0xBB67AE85u;
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  const u64_vec counter = lane_numbers(std::make_integer_sequence<int, kCounters>{}) + first;
  const u64_vec zero{};
  u64_vec c0 = counter & 0xffffffffu, c1 = counter >> 32, c2 = zero, c3 = zero;
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const u64_vec product0 = multiply_low(c0, zero + kMultiplier0);
    const u64_vec product1 = multiply_low(c2, zero + kMultiplier1);
    c0 = (product1 >> 32) ^ c1 ^ (zero + key0);
    c2 = (product0 >> 32) ^ c3 ^ (zero + key1);
    c1 = product1 & 0xffffffffu;
    c3 = product0 & 0xffffffffu;
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  *low = c0 | (c1 << 32);
  *high = c2 | (c3 << 32);
}

// `value` where keep is -1, zero where it is 0.
template <typename A>
SGNN_INLINE vec_t<A> keep_lanes(vec_t<A> value, const int16_t* keep) {
  using Bits = std::conditional_t<sizeof(A) == 8, int64_t, int32_t>;
  typedef Bits wide __attribute__((vector_size(SGNN_VECTOR_BYTES)));
  typedef int16_t narrow __attribute__((vector_size(2 * kLanes<A>), aligned(2)));
  const wide mask = __builtin_convertvector(*reinterpret_cast<const narrow*>(keep), wide);
  return reinterpret_cast<vec_t<A>>(reinterpret_cast<wide>(value) & mask);
}

// Half of the lanes of low and high, in turn: the words of a counter stand side by side.
template <int kHalf, int... kLane>
SGNN_INLINE u64_vec in_turn(u64_vec low, u64_vec high, std::integer_sequence<int, kLane...>) {
  return __builtin_shufflevector(low, high,
                                 (kHalf * kCounters / 2 + kLane / 2 + kLane % 2 * kCounters)...);
}

class DropoutBits {
 public:
  DropoutBits(const int64_t* seed, uint32_t threshold)
      : seed_(threshold == kKeepAll ? 0 : static_cast<uint64_t>(*seed)), threshold_(threshold) {}

  // keep[k] = -1 (all bits) or 0 for the elements [index, index + count), count <= kMost.
  static constexpr int kMost = 512;
  void fill(int64_t index, int count, int16_t* keep) {
    for (int done = 0; done < count;) {
      const int64_t block = (index + done) / kElements;
      if (block != block_) make_block(block);
      const int from = static_cast<int>((index + done) % kElements);
      const int here = count - done < kElements - from ? count - done : kElements - from;
      if (here == kElements) {
        memcpy(keep + done, kept_, sizeof(kept_));
      } else {
        memcpy(keep + done, kept_ + from, static_cast<size_t>(here) * sizeof(int16_t));
      }
      done += here;
    }
  }

 private:
  static constexpr int kElements = 8 * kCounters;
  typedef uint16_t u16_words __attribute__((vector_size(SGNN_VECTOR_BYTES)));

  // Consecutive rows share a block when they are narrow: the last one is kept.
  void make_block(int64_t block) {
    constexpr std::make_integer_sequence<int, kCounters> kAll{};
    u64_vec low, high;
    philox_vec(seed_, static_cast<uint64_t>(block) * kCounters, &low, &high);
    compare(in_turn<0>(low, high, kAll), kept_);
    compare(in_turn<1>(low, high, kAll), kept_ + kElements / 2);
    block_ = block;
  }

  // Little endian: element 0 in the lowest bits.
  SGNN_INLINE void compare(u64_vec words, int16_t* kept) const {
    const u16_words last = u16_words{} + static_cast<uint16_t>(threshold_ - 1);
    const auto below = reinterpret_cast<u16_words>(words) <= last;
    if (threshold_ == 0) {
      memset(kept, 0, sizeof(below));
    } else {
      memcpy(kept, &below, sizeof(below));
    }
  }

  const uint64_t seed_;
  const uint32_t threshold_;
  int64_t block_ = -1;
  int16_t kept_[kElements];
};

}  // namespace sgnn::cpu::SGNN_ISA
