#include "isa.h"

#include <atomic>

namespace sgnn::cpu {
namespace {

std::atomic<Isa>& selected() {
  static std::atomic<Isa> value{detect_isa()};
  return value;
}

}  // namespace

Isa detect_isa() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return Isa::kAvx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::kAvx2;
#endif
  return Isa::kBaseline;
}

Isa current_isa() { return selected().load(std::memory_order_relaxed); }

bool set_isa(Isa isa) {
  if (static_cast<int32_t>(isa) < 0 || isa > detect_isa()) return false;
  selected().store(isa, std::memory_order_relaxed);
  return true;
}

}  // namespace sgnn::cpu
