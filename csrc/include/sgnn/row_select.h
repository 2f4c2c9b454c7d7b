// Finds the k-th largest element of a row by counting: the logic that the CPU and the CUDA kernels
// of topk_rows share.
#pragma once

#include <cstdint>
#include <cstring>

#include "sgnn/macros.h"
#include "sgnn/types.h"

namespace sgnn {

template <typename A>
struct RowKey {
  using type = int32_t;
};
template <>
struct RowKey<double> {
  using type = int64_t;
};
template <typename A>
using row_key_t = typename RowKey<A>::type;

// Keys start at kNanKey, so that one value below every key is left for padding.
template <typename Key>
inline constexpr Key kNoKey = static_cast<Key>(Key(1) << (8 * sizeof(Key) - 2)) * Key(-2);
template <typename Key>
inline constexpr Key kNanKey = kNoKey<Key> + 1;
template <typename Key>
inline constexpr Key kMaxKey = static_cast<Key>(~kNoKey<Key>);

// The signed key of a value, or of its magnitude: larger value, larger key; both zeros are equal
// and NaN is below every number.
template <typename A>
SGNN_HD row_key_t<A> row_key(A value, bool magnitude) {
  using Key = row_key_t<A>;
  if (value != value) return kNanKey<Key>;
  if (value == A(0)) return 0;
  Key bits;
  memcpy(&bits, &value, sizeof(bits));
  if (magnitude) return bits & kMaxKey<Key>;
  return bits < 0 ? bits ^ kMaxKey<Key> : bits;
}

// The number a key stands for; the key of NaN gives a NaN.
template <typename A>
SGNN_HD A row_key_value(row_key_t<A> key) {
  using Key = row_key_t<A>;
  const Key bits = key < 0 ? key ^ kMaxKey<Key> : key;
  A value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

// Bisection for the smallest threshold with at most k keys above it. After done(), the keys above
// threshold() are kept, and of the keys equal to it the first ties(), by column.
template <typename A>
class RowSelect {
 public:
  using Key = row_key_t<A>;

  // `count` keys from `lowest` to `highest`; 0 <= k <= count.
  SGNN_HD RowSelect(Key lowest, Key highest, int64_t count, int64_t k)
      : low_(lowest - 1), high_(k == count ? lowest - 1 : highest), k_(k) {
    above_high_ = k == count ? count : 0;
  }

  SGNN_HD bool done() const { return above_high_ == k_ || high_ - 1 == low_; }
  SGNN_HD Key threshold() const { return high_; }
  SGNN_HD int64_t ties() const { return k_ - above_high_; }

  // The next key to count: the middle of the values for a while, as values are spread more evenly
  // than their bit patterns; then the middle of the keys, which ends after the bits of one.
  SGNN_HD Key probe() {
    constexpr int kValueSteps = 16;
    if (steps_++ < kValueSteps) {
      const A half = A(0.5);
      const A middle = half * row_key_value<A>(low_) + half * row_key_value<A>(high_);
      const Key key = row_key(middle, false);
      if (key > low_ && key < high_) return key;
    }
    return (low_ & high_) + ((low_ ^ high_) >> 1);
  }

  // Takes the number of keys above the last probe.
  SGNN_HD void update(Key probe, int64_t above) {
    if (above > k_) {
      low_ = probe;
    } else {
      high_ = probe;
      above_high_ = above;
    }
  }

 private:
  Key low_;   // more than k keys lie above, or all of them
  Key high_;  // at most k keys lie above
  int64_t k_;
  int64_t above_high_;
  int steps_ = 0;
};

}  // namespace sgnn
