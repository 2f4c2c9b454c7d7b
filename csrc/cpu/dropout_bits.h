// The dropout bits of consecutive elements: Philox on a vector of counters at a time, the same
// numbers as sgnn/random.h.
#pragma once

#include <type_traits>

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

// The four words of the counters [first, first + kCounters), two to a lane: low words first.
SGNN_INLINE void philox_vec(uint64_t seed, uint64_t first, u64_vec* low, u64_vec* high) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53u, kMultiplier1 = 0xCD9E8D57u;
  constexpr uint32_t kWeyl0 = 0x9E3779B9u, kWeyl1 = 0xBB67AE85u;
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  u64_vec counter;
  for (int lane = 0; lane < kCounters; ++lane) counter[lane] = first + static_cast<uint64_t>(lane);
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
      for (int k = 0; k < here; ++k) keep[done + k] = words_[from + k] < threshold_ ? -1 : 0;
      done += here;
    }
  }

 private:
  static constexpr int kElements = 8 * kCounters;

  // Consecutive rows share a block when they are narrow: the last one is kept.
  void make_block(int64_t block) {
    u64_vec pair[2];
    philox_vec(seed_, static_cast<uint64_t>(block) * kCounters, &pair[0], &pair[1]);
    uint64_t ordered[2 * kCounters];
    for (int lane = 0; lane < kCounters; ++lane) {
      ordered[2 * lane] = pair[0][lane];
      ordered[2 * lane + 1] = pair[1][lane];
    }
    memcpy(words_, ordered, sizeof(words_));  // little endian: element 0 in the lowest bits
    block_ = block;
  }

  const uint64_t seed_;
  const uint32_t threshold_;
  int64_t block_ = -1;
  uint16_t words_[kElements];
};

}  // namespace sgnn::cpu::SGNN_ISA
