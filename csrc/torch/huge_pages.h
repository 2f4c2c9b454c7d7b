// Large outputs are fresh memory: without huge pages the kernel spends longer on page faults than
// the operator on its work.
#pragma once

#include <cstdint>

#include "checks.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace sgnn::binding {

constexpr uintptr_t kHugePage = uintptr_t{2} << 20;
constexpr int64_t kHugeFromBytes = int64_t{4} << 20;

// Asks for huge pages behind a CPU tensor that is about to be written. A hint: where it is refused,
// nothing changes.
inline void advise_huge_pages(const Tensor& tensor) {
#if defined(__linux__)
  const int64_t bytes = tensor.numel() * static_cast<int64_t>(tensor.element_size());
  if (bytes < kHugeFromBytes) return;
  const auto start = reinterpret_cast<uintptr_t>(tensor.mutable_data_ptr());
  const uintptr_t first = (start + kHugePage - 1) / kHugePage * kHugePage;
  const uintptr_t last = (start + static_cast<uintptr_t>(bytes)) / kHugePage * kHugePage;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#else
  (void)tensor;
#endif
}

}  // namespace sgnn::binding
