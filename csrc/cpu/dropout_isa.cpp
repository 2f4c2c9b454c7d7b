// Compiled once per instruction set.
#include "dropout_isa.h"

#include <algorithm>

#include "dropout_bits.h"
#include "past_caches.h"
#include "sgnn/dispatch.h"

namespace sgnn::cpu::SGNN_ISA {
namespace {

// Whether elements from `begin` on are written past the caches.
template <typename T>
bool streams_from(const void* y, int64_t begin, int64_t count) {
  using A = acc_t<T>;
  return begin % kLanes<A> == 0 && streams<A>(y, 1, count, sizeof(T));
}

template <typename T>
SGNN_INLINE void put(T* target, vec_t<acc_t<T>> value, int lanes, bool stream) {
  if (stream && lanes == kLanes<acc_t<T>>) return store_past_caches(target, value);
  store_first(target, value, lanes);
}

template <typename T>
void run(const DropoutArgs& args, int64_t begin, int64_t end) {
  using A = acc_t<T>;
  const auto* x = static_cast<const T*>(args.x);
  const auto* bias = static_cast<const A*>(args.bias);
  auto* y = static_cast<T*>(args.y);
  const bool drop = args.threshold != kKeepAll;
  const bool whole_vectors = bias == nullptr || args.width % kLanes<A> == 0;
  const bool stream = whole_vectors && streams_from<T>(args.y, begin, args.count);
  const vec_t<A> scale = splat(dropout_scale<A>(args.threshold));
  DropoutBits bits(args.seed, args.threshold);
  int16_t keep[DropoutBits::kMost];
  for (int64_t k = begin; k < end;) {
    const int64_t column = bias == nullptr ? 0 : k % args.width;
    const int64_t left = bias == nullptr ? end - k : std::min(end - k, args.width - column);
    const int count = static_cast<int>(std::min<int64_t>(DropoutBits::kMost, left));
    if (drop) bits.fill(k, count, keep);
    for (int i = 0; i < count; i += kLanes<A>) {
      const int lanes = std::min(kLanes<A>, count - i);
      vec_t<A> value = load_first(x + k + i, lanes);
      if (bias != nullptr) value += load_first(bias + column + i, lanes);
      if (args.relu) value = relu_vec(value);
      if (drop) value = keep_lanes<A>(value * scale, keep + i);
      put(y + k + i, value, lanes, stream);
    }
    k += count;
  }
  if (stream) fence_stores();
}

template <typename T>
void run_grad(const DropoutGradArgs& args, int64_t begin, int64_t end) {
  using A = acc_t<T>;
  const auto* grad = static_cast<const T*>(args.grad);
  const auto* y = static_cast<const T*>(args.y);
  auto* out = static_cast<T*>(args.out);
  const bool stream = streams_from<T>(args.out, begin, args.count);
  const vec_t<A> scale = splat(dropout_scale<A>(args.threshold)), zero{};
  for (int64_t k = begin; k < end; k += kLanes<A>) {
    const int lanes = static_cast<int>(std::min<int64_t>(kLanes<A>, end - k));
    const vec_t<A> value = load_first(grad + k, lanes) * scale;
    put(out + k, load_first(y + k, lanes) <= zero ? zero : value, lanes, stream);
  }
  if (stream) fence_stores();
}

}  // namespace

void dropout(const DropoutArgs& args, int64_t begin, int64_t end) {
  dispatch_dtype(args.dtype,
                 [&](auto type) { run<typename decltype(type)::type>(args, begin, end); });
}

void dropout_grad(const DropoutGradArgs& args, int64_t begin, int64_t end) {
  dispatch_dtype(args.dtype,
                 [&](auto type) { run_grad<typename decltype(type)::type>(args, begin, end); });
}

}  // namespace sgnn::cpu::SGNN_ISA
