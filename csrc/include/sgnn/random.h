// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as
// 1, 2, 3", SC 2011). A number is a function of (seed, counter) alone, so it is the same on every
// device and thread, and a backward pass computes it again instead of storing it.
#pragma once

#include <cstdint>

#include "sgnn/macros.h"

namespace sgnn {

struct Philox4 {
  uint32_t word[4];
};

// The four random words of `counter` (128 bits, high and low half) under `seed`.
SGNN_HD Philox4 philox(uint64_t seed, uint64_t low, uint64_t high = 0) {
  constexpr uint32_t kMultiplier0 = 0xD2511F53u;
  constexpr uint32_t kMultiplier1 = 0xCD9E8D57u;
  constexpr uint32_t kWeyl0 = 0x9E3779B9u;
  constexpr uint32_t kWeyl1 = 0xBB67AE85u;
  constexpr int kRounds = 10;
  uint32_t key0 = static_cast<uint32_t>(seed);
  uint32_t key1 = static_cast<uint32_t>(seed >> 32);
  uint32_t c0 = static_cast<uint32_t>(low);
  uint32_t c1 = static_cast<uint32_t>(low >> 32);
  uint32_t c2 = static_cast<uint32_t>(high);
  uint32_t c3 = static_cast<uint32_t>(high >> 32);
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t product0 = static_cast<uint64_t>(kMultiplier0) * c0;
    const uint64_t product1 = static_cast<uint64_t>(kMultiplier1) * c2;
    const uint32_t next0 = static_cast<uint32_t>(product1 >> 32) ^ c1 ^ key0;
    const uint32_t next2 = static_cast<uint32_t>(product0 >> 32) ^ c3 ^ key1;
    c0 = next0;
    c1 = static_cast<uint32_t>(product1);
    c2 = next2;
    c3 = static_cast<uint32_t>(product0);
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return {{c0, c1, c2, c3}};
}

constexpr uint32_t kKeepAll = 65536;  // a dropout threshold that drops nothing

// Word i of four, i in [0, 4), without an array in memory.
SGNN_HD uint32_t word_of(const Philox4& random, int i) {
  const uint32_t low = (i & 1) != 0 ? random.word[1] : random.word[0];
  const uint32_t high = (i & 1) != 0 ? random.word[3] : random.word[2];
  return (i & 2) != 0 ? high : low;
}

// Dropout of element `index`: sixteen random bits each, eight elements per counter. An element is
// kept when its bits are below `threshold`, kept with probability threshold / 65536.
SGNN_HD bool dropout_keeps(uint64_t seed, int64_t index, uint32_t threshold) {
  const Philox4 random = philox(seed, static_cast<uint64_t>(index) >> 3);
  const uint32_t word = word_of(random, static_cast<int>(index >> 1) & 3);
  return ((index & 1) != 0 ? word >> 16 : word & 0xffffu) < threshold;
}

// The threshold nearest to keeping with probability 1 - p.
SGNN_HD uint32_t dropout_threshold(double p) {
  return static_cast<uint32_t>((1.0 - p) * 65536.0 + 0.5);
}

// What kept elements are multiplied by, so that the mean is kept. Without any there is nothing to
// scale.
template <typename A>
SGNN_HD A dropout_scale(uint32_t threshold) {
  return threshold == 0 ? A(0) : A(65536) / static_cast<A>(threshold);
}

// A uniform integer in [0, bound) for 0 < bound <= 2^32 from one random word.
SGNN_HD uint64_t bounded(uint32_t word, uint64_t bound) { return (word * bound) >> 32; }

}  // namespace sgnn
