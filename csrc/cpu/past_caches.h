// When results are written past the caches.
#pragma once

#include <cstdint>

namespace sgnn::cpu::SGNN_ISA {

constexpr int64_t kStreamFromBytes = 32 << 20;  // a last-level cache

// An output that no cache can hold is not read into them before it is written. Whole lines only.
template <typename A>
inline bool streams(const void* y, int64_t rows, int64_t width, int64_t element) {
  constexpr int64_t kLine = 64;
  const int64_t row_bytes = width * element;
  return element == static_cast<int64_t>(sizeof(A)) && row_bytes % kLine == 0 &&
         reinterpret_cast<uintptr_t>(y) % kLine == 0 && rows * row_bytes > kStreamFromBytes;
}

}  // namespace sgnn::cpu::SGNN_ISA
