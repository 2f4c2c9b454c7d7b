// Compiled once per instruction set.
#include "select_isa.h"

#include "ordered_vec.h"
#include "sgnn/dispatch.h"

namespace sgnn::cpu::SGNN_ISA {
namespace {

// kPositive: only positive scores are told apart, by their bits; all others lie below.
template <typename T, bool kMasked, bool kPositive>
class Scores {
 public:
  explicit Scores(const SelectScores& from)
      : scores_(static_cast<const T*>(from.scores)),
        mask_(from.mask),
        mask_value_(from.mask_value),
        magnitude_(from.magnitude),
        kept_bits_(from.magnitude ? ~kSignBit<T> : signed_key_t<T>{-1}) {}

  SGNN_INLINE key_vec<T> keys(int64_t i) const {
    const key_vec<T> bits = load_bits(scores_ + i) & kept_bits_;
    return kPositive ? bits : keys_of<T>(bits);
  }
  SGNN_INLINE lanes_t<T> taking_part(int64_t i) const {
    if (!kMasked) return kAllLanes<T>;
    const lanes_t<T> set = lanes_set<T>(mask_ + i);
    return mask_value_ ? set : set ^ kAllLanes<T>;
  }

  SGNN_INLINE uint64_t key(int64_t i) const { return ordered_key(scores_[i], magnitude_); }
  SGNN_INLINE bool takes_part(int64_t i) const {
    return !kMasked || (mask_[i] != 0) == mask_value_;
  }

  // The largest signed key of a number.
  static constexpr signed_key_t<T> kTop = KeyLane<T>::kInfinity;

 private:
  const T* scores_;
  const uint8_t* mask_;
  bool mask_value_;
  bool magnitude_;
  signed_key_t<T> kept_bits_;
};

template <typename T>
key_bits_t<T> span_of(signed_key_t<T> first, signed_key_t<T> last) {
  return static_cast<key_bits_t<T>>(last) - static_cast<key_bits_t<T>>(first);
}

template <typename T, bool kMasked, bool kPositive>
void scan(const Scores<T, kMasked, kPositive>& scores, int64_t begin, int64_t end, ScanPass& pass) {
  constexpr signed_key_t<T> kTop = Scores<T, kMasked, kPositive>::kTop;
  const signed_key_t<T> low = to_signed<T>(pass.low);
  const bool any_above = to_signed<T>(pass.high) < kTop;
  const signed_key_t<T> next = any_above ? to_signed<T>(pass.high) + 1 : kTop;
  const lanes_t<T> above_lanes = any_above ? kAllLanes<T> : lanes_t<T>{};
  const key_bits_t<T> low_span = span_of<T>(low, kTop);
  const key_bits_t<T> next_span = span_of<T>(next, kTop);
  int64_t inside_count = 0;
  int64_t above_count = 0;
  const auto add = [&](int64_t i) {
    if (pass.candidates != nullptr) {
      pass.candidates[inside_count] = {scores.key(i), pass.keep + i};
    }
    ++inside_count;
  };
  int64_t i = begin;
  for (; i + kKeyLanes<T> <= end; i += kKeyLanes<T>) {
    const key_vec<T> key = scores.keys(i);
    const lanes_t<T> part = scores.taking_part(i);
    const lanes_t<T> above = lanes_in<T>(key, next, next_span) & above_lanes & part;
    const lanes_t<T> inside = (lanes_in<T>(key, low, low_span) & part) ^ above;
    above_count += __builtin_popcount(lane_bits<T>(above));
    store_flags<T>(pass.keep + i, above);
    uint32_t bits = lane_bits<T>(inside);
    if (pass.candidates == nullptr) {
      inside_count += __builtin_popcount(bits);
      continue;
    }
    for (; bits != 0; bits &= bits - 1) add(i + __builtin_ctz(bits));
  }
  for (; i < end; ++i) {
    const bool part = scores.takes_part(i);
    const uint64_t key = scores.key(i);
    const bool above = part && key > pass.high;
    above_count += above ? 1 : 0;
    pass.keep[i] = above ? 1 : 0;
    if (part && !above && key >= pass.low) add(i);
  }
  pass.above = above_count;
  pass.inside = inside_count;
}

template <typename T, bool kMasked>
void write(const Scores<T, kMasked, false>& scores, int64_t begin, int64_t end, WritePass& pass) {
  const signed_key_t<T> threshold = to_signed<T>(pass.threshold);
  const key_bits_t<T> span = span_of<T>(threshold, KeyLane<T>::kInfinity);
  const auto write_one = [&](int64_t i) {
    const bool part = scores.takes_part(i);
    const uint64_t key = scores.key(i);
    const bool tie = part && key == pass.threshold && pass.ties > 0;
    pass.ties -= tie ? 1 : 0;
    pass.keep[i] = tie || (part && key > pass.threshold) ? 1 : 0;
  };
  int64_t i = begin;
  for (; i + kKeyLanes<T> <= end; i += kKeyLanes<T>) {
    const key_vec<T> key = scores.keys(i);
    const lanes_t<T> part = scores.taking_part(i);
    const lanes_t<T> tie = lanes_in<T>(key, threshold, 0) & part;
    const int ties = __builtin_popcount(lane_bits<T>(tie));
    if (ties > pass.ties) {
      for (int lane = 0; lane < kKeyLanes<T>; ++lane) write_one(i + lane);
      continue;
    }
    store_flags<T>(pass.keep + i, lanes_in<T>(key, threshold, span) & part);
    pass.ties -= ties;
  }
  for (; i < end; ++i) write_one(i);
}

}  // namespace

void select_scan(const SelectScores& from, int64_t begin, int64_t end, ScanPass& pass) {
  dispatch_dtype(from.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const bool positive = to_signed<T>(pass.low) > 0;
    if (from.mask == nullptr) {
      if (positive) return scan(Scores<T, false, true>(from), begin, end, pass);
      return scan(Scores<T, false, false>(from), begin, end, pass);
    }
    if (positive) return scan(Scores<T, true, true>(from), begin, end, pass);
    scan(Scores<T, true, false>(from), begin, end, pass);
  });
}

void select_write(const SelectScores& from, int64_t begin, int64_t end, WritePass& pass) {
  dispatch_dtype(from.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if (from.mask == nullptr) return write(Scores<T, false, false>(from), begin, end, pass);
    write(Scores<T, true, false>(from), begin, end, pass);
  });
}

}  // namespace sgnn::cpu::SGNN_ISA
