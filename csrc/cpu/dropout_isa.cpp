// Compiled once per instruction set.
#include "dropout_isa.h"

#include <algorithm>

#include "dropout_bits.h"
#include "sgnn/dispatch.h"

namespace sgnn::cpu::SGNN_ISA {
namespace {

template <typename T>
void run(const DropoutArgs& args, int64_t begin, int64_t end) {
  using A = acc_t<T>;
  const auto* x = static_cast<const T*>(args.x);
  auto* y = static_cast<T*>(args.y);
  const vec_t<A> scale = splat(dropout_scale<A>(args.threshold));
  DropoutBits bits(args.seed, args.threshold);
  int16_t keep[DropoutBits::kMost];
  for (int64_t k = begin; k < end; k += DropoutBits::kMost) {
    const int count = static_cast<int>(std::min<int64_t>(DropoutBits::kMost, end - k));
    bits.fill(k, count, keep);
    for (int i = 0; i < count; i += kLanes<A>) {
      const int lanes = std::min(kLanes<A>, count - i);
      store_first(y + k + i, keep_lanes<A>(load_first(x + k + i, lanes) * scale, keep + i), lanes);
    }
  }
}

}  // namespace

void dropout(const DropoutArgs& args, int64_t begin, int64_t end) {
  dispatch_dtype(args.dtype,
                 [&](auto type) { run<typename decltype(type)::type>(args, begin, end); });
}

}  // namespace sgnn::cpu::SGNN_ISA
