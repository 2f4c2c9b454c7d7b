// Compiled once per instruction set.
#include "hard_concrete_isa.h"

#include <cstring>

#include "dropout_bits.h"
#include "exp.h"
#include "log.h"
#include "sgnn/dispatch.h"

namespace sgnn::cpu::SGNN_ISA {
namespace {

template <typename A>
SGNN_INLINE vec_t<A> sigmoid_vec(vec_t<A> x) {
  const vec_t<A> small = exp_nonpositive(x < vec_t<A>{} ? x : -x);  // of -|x|: nothing overflows
  const vec_t<A> whole = splat(A(1)) + small;
  return x < vec_t<A>{} ? small / whole : splat(A(1)) / whole;
}

// The words of kGateBlock elements from `first`, a multiple of it, in their order.
SGNN_INLINE void draw(uint64_t seed, int64_t first, uint32_t* word) {
  for (int k = 0; k < kGateBlock; k += 4 * kCounters) {
    u64_vec low, high;
    philox_vec(seed, static_cast<uint64_t>(first + k) / 4, &low, &high);
    for (int lane = 0; lane < kCounters; ++lane) {
      const uint64_t pair[2] = {low[lane], high[lane]};
      memcpy(word + k + 4 * lane, pair, sizeof(pair));  // little endian: low words first
    }
  }
}

// logit(u) of the words.
template <typename A>
SGNN_INLINE vec_t<A> noise(const uint32_t* word) {
  A u[kLanes<A>];
  for (int lane = 0; lane < kLanes<A>; ++lane) u[lane] = static_cast<A>(gate_uniform(word[lane]));
  const vec_t<A> uniform = load(u);
  return log_positive(uniform / (splat(A(1)) - uniform));
}

template <typename A>
void run(const HardConcreteArgs& args, int64_t begin, int64_t end) {
  const bool drawn = args.seed != nullptr;
  const vec_t<A> inverse = splat(drawn ? A(1) / static_cast<A>(args.beta) : A(1));
  const vec_t<A> low = splat(static_cast<A>(args.gamma));
  const vec_t<A> range = splat(static_cast<A>(args.zeta - args.gamma));
  const vec_t<A> zero{}, one = splat(A(1));
  const A* grad = static_cast<const A*>(args.grad);
  uint32_t word[kGateBlock];
  for (int64_t first = begin; first < end; first += kGateBlock) {
    if (drawn) draw(static_cast<uint64_t>(*args.seed), first, word);
    const int count = static_cast<int>(end - first < kGateBlock ? end - first : kGateBlock);
    for (int i = 0; i < count; i += kLanes<A>) {
      const int64_t k = first + i;
      const int lanes = count - i < kLanes<A> ? count - i : kLanes<A>;
      vec_t<A> x = load_first(static_cast<const A*>(args.logits) + k, lanes);
      if (drawn) x += noise<A>(word + i);
      const vec_t<A> s = sigmoid_vec<A>(x * inverse);
      vec_t<A> z = s * range + low;
      if (grad != nullptr) {
        const vec_t<A> slope = range * s * (one - s) * inverse * load_first(grad + k, lanes);
        z = (z <= zero) | (z >= one) ? zero : slope;
      } else {
        z = z < zero ? zero : z;
        z = z > one ? one : z;
      }
      store_first(static_cast<A*>(args.out) + k, z, lanes);
    }
  }
}

}  // namespace

void hard_concrete(const HardConcreteArgs& args, int64_t begin, int64_t end) {
  dispatch_acc(args.dtype,
               [&](auto type) { run<typename decltype(type)::type>(args, begin, end); });
}

}  // namespace sgnn::cpu::SGNN_ISA
