// What the loop bodies of softmax aggregation share: messages, and tiles that gather them.
#pragma once

#include <limits>

#include "exp.h"
#include "past_caches.h"
#include "row_spans.h"
#include "row_tile.h"
#include "scratch.h"
#include "sgnn/softmax_aggregate.h"

namespace sgnn::cpu::SGNN_ISA {

// A tile keeps four numbers per column in registers, beside those that exp needs.
constexpr int kSoftmaxTile = kVectorBytes == 64 ? 4 : 2;
constexpr int64_t kSoftmaxNearBytes = 512 << 10;  // rows that the L2 cache holds: no prefetch

// The message of a feature: bounded below, then shifted; without `relu` neither does anything.
template <typename A>
struct Message {
  vec_t<A> floor;
  vec_t<A> eps;

  explicit Message(const SoftmaxAggregateInputs& args)
      : floor(splat(args.relu ? A(0) : -std::numeric_limits<A>::infinity())),
        eps(splat(args.relu ? static_cast<A>(args.eps) : A(0))) {}

  SGNN_INLINE vec_t<A> bound(vec_t<A> x) const { return x < floor ? floor : x; }
  SGNN_INLINE vec_t<A> of(vec_t<A> x) const { return bound(x) + eps; }

  // The gradient of the feature, given that of the message.
  SGNN_INLINE vec_t<A> derive(vec_t<A> x, vec_t<A> gradient) const {
    return x <= floor ? vec_t<A>{} : gradient;
  }
};

template <typename A>
inline EdgeFactors<A> kept_only(const uint8_t* bits) {
  return {nullptr, nullptr, nullptr, bits};
}

// The vector as it will be read back from storage.
template <typename T>
SGNN_INLINE vec_t<acc_t<T>> as_stored(vec_t<acc_t<T>> value) {
  if constexpr (sizeof(T) == sizeof(acc_t<T>)) return value;
  T stored[kLanes<acc_t<T>>];
  store(stored, value);
  return load(stored);
}

// Writes a vector of a row, past the caches when `stream` says so.
template <int kTile, bool kPartial, typename T>
SGNN_INLINE void write_vector(T* row, int v, int count, vec_t<acc_t<T>> value, bool stream) {
  if (!kPartial && stream) return store_past_caches(row + v * kLanes<acc_t<T>>, value);
  store_tile<kTile, kPartial>(row, v, count, value);
}

}  // namespace sgnn::cpu::SGNN_ISA
