// Top-k of rows [begin, end), for one instruction set: the keys of a row stay in L1 while a
// bisection counts those above its probes.
#pragma once

#include "compare_bits.h"
#include "sgnn/row_select.h"
#include "sgnn/topk_rows.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename T, typename Id>
class TopkRows {
 public:
  using A = acc_t<T>;
  using Key = row_key_t<A>;

  // `keys` holds one row's keys, filled up with kNoKey to whole words.
  TopkRows(const TopkRowsArgs& args, Key* keys)
      : args_(args), words_((args.width + kWordKeys - 1) / kWordKeys), keys_(keys) {
    for (int64_t i = args.width; i < words_ * kWordKeys; ++i) keys_[i] = kNoKey<Key>;
  }

  void run(int64_t begin, int64_t end) const {
    for (int64_t row = begin; row < end; ++row) {
      const T* x = static_cast<const T*>(args_.x) + row * args_.x_stride;
      const int64_t first = row * args_.k;
      write(x, select(x), static_cast<T*>(args_.values) + first,
            static_cast<Id*>(args_.ids) + first);
    }
  }

 private:
  using V = key_vec<Key>;
  static constexpr int64_t kStep = kKeyLanes<Key>;

  SGNN_INLINE V keys_of(vec_t<A> value) const {
    const vec_t<A> zero{};
    const vec_t<A> canonical = value == zero ? zero : value;
    const V bits = reinterpret_cast<V>(canonical);
    const V sign = bits >> (8 * static_cast<int>(sizeof(Key)) - 1);
    const V key = args_.magnitude ? bits & kMaxKey<Key> : bits ^ (sign & kMaxKey<Key>);
    return value == value ? key : kNanKey<Key> + V{};
  }

  // Fills keys_ from a row and finds its threshold.
  RowSelect<A> select(const T* x) const {
    V low = kMaxKey<Key> + V{};
    V high = kNoKey<Key> + V{};
    const auto add = [&](int64_t i, V key) __attribute__((always_inline)) {
      *reinterpret_cast<V*>(keys_ + i) = key;
      low = key < low ? key : low;
      high = key > high ? key : high;
    };
    int64_t i = 0;
    for (; i + kStep <= args_.width; i += kStep) add(i, keys_of(load(x + i)));
    if (i < args_.width) add_partial(x + i, i, static_cast<int>(args_.width - i), &low, &high);
    Key lowest = low[0];
    Key highest = high[0];
    for (int lane = 1; lane < kStep; ++lane) {
      lowest = low[lane] < lowest ? low[lane] : lowest;
      highest = high[lane] > highest ? high[lane] : highest;
    }
    RowSelect<A> search(lowest, highest, args_.width, args_.k);
    while (!search.done()) {
      const Key probe = search.probe();
      search.update(probe, count_above(probe));
    }
    return search;
  }

  void add_partial(const T* x, int64_t i, int count, V* low, V* high) const {
    const V key = keys_of(load_partial<T>(x, count));
    for (int lane = 0; lane < count; ++lane) {
      keys_[i + lane] = key[lane];
      if (key[lane] < (*low)[lane]) (*low)[lane] = key[lane];
      if (key[lane] > (*high)[lane]) (*high)[lane] = key[lane];
    }
  }

  int64_t count_above(Key threshold) const {
    int64_t above = 0;
    for (int64_t word = 0; word < words_; ++word) {
      above += __builtin_popcountll(bits_above(keys_ + word * kWordKeys, threshold));
    }
    return above;
  }

  // The lowest `count` set bits.
  static uint64_t lowest_bits(uint64_t bits, int64_t count) {
    uint64_t rest = bits;
    for (; count > 0 && rest != 0; --count) rest &= rest - 1;
    return bits ^ rest;
  }

  void write(const T* x, const RowSelect<A>& search, T* values, Id* ids) const {
    const Key threshold = search.threshold();
    int64_t ties = search.ties();
    for (int64_t word = 0; word < words_; ++word) {
      const Key* keys = keys_ + word * kWordKeys;
      uint64_t keep = bits_above(keys, threshold);
      if (ties > 0) {
        const uint64_t tied = lowest_bits(bits_equal(keys, threshold), ties);
        ties -= __builtin_popcountll(tied);
        keep |= tied;
      }
      for (; keep != 0; keep &= keep - 1) {
        const int64_t column = word * kWordKeys + __builtin_ctzll(keep);
        *values++ = x[column];
        *ids++ = static_cast<Id>(column);
      }
    }
  }

  const TopkRowsArgs& args_;
  const int64_t words_;
  Key* const keys_;
};

}  // namespace sgnn::cpu::SGNN_ISA
