#include "isa.h"

#include <atomic>

namespace sgnn::cpu {
namespace {

std::atomic<Isa>& selected() {
  static std::atomic<Isa> value{detect_isa()};
  return value;
}

// Whether the build contains the set and this processor has it.
bool available(Isa isa) {
  switch (isa) {
    SGNN_IF_BASELINE(case Isa::kBaseline : return true;)
    SGNN_IF_AVX2(case Isa::kAvx2 : return __builtin_cpu_supports("avx2") &&
                     __builtin_cpu_supports("fma");)
    SGNN_IF_AVX512(case Isa::kAvx512 : return __builtin_cpu_supports("avx512f") &&
                       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                       __builtin_cpu_supports("avx512vl");)
    default:
      return false;
  }
}

}  // namespace

Isa detect_isa() {
  if (available(Isa::kAvx512)) return Isa::kAvx512;
  return available(Isa::kAvx2) ? Isa::kAvx2 : Isa::kBaseline;
}

Isa current_isa() { return selected().load(std::memory_order_relaxed); }

bool set_isa(Isa isa) {
  if (!available(isa)) return false;
  selected().store(isa, std::memory_order_relaxed);
  return true;
}

}  // namespace sgnn::cpu
