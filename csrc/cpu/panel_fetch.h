// Cache lines asked for ahead of time: the memory of one panel moves while another is computed.
#pragma once

#include <cstdint>

#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

// Spreads the loading of the next panel's samples over the output rows of this one: every row asks
// for its share of cache lines. Does nothing after the last panel.
class NextPanel {
 public:
  NextPanel(const void* data, int64_t bytes, int64_t outputs)
      : next_(static_cast<const char*>(data)),
        end_(next_ + bytes),
        share_(outputs > 0 ? (bytes / kLine + outputs) / outputs * kLine : 0) {}

  SGNN_INLINE void fetch_share() {
    const char* stop = end_ - next_ > share_ ? next_ + share_ : end_;
    for (; next_ < stop; next_ += kLine) __builtin_prefetch(next_, 0, 2);
  }

 private:
  static constexpr int64_t kLine = 64;
  const char* next_;
  const char* end_;
  int64_t share_;
};

// Asks for the lines that the first `rows` of kCount rows are about to be written to.
template <int kCount, typename T>
SGNN_INLINE void fetch_lines(const T* target, int64_t stride, int64_t rows) {
#pragma GCC unroll 4
  for (int i = 0; i < kCount; ++i) {
    if (i < rows) __builtin_prefetch(target + i * stride, 1, 3);
  }
}

}  // namespace sgnn::cpu::SGNN_ISA
