// Instruction sets: which the build contains, which one is in use, and how an entry point that
// exists once per set is declared and called. X_isa.h declares those of a family, X_isa.cpp is
// compiled once per set.
#pragma once

#include <cstdint>
#include <cstdlib>

// Declares what stands in the brackets in the namespace of every instruction set.
#if defined(__x86_64__)
#define SGNN_PER_ISA(...) \
  namespace baseline {    \
  __VA_ARGS__             \
  }                       \
  namespace avx2 {        \
  __VA_ARGS__             \
  }                       \
  namespace avx512 {      \
  __VA_ARGS__             \
  }
#else
#define SGNN_PER_ISA(...) \
  namespace baseline {    \
  __VA_ARGS__             \
  }
#endif

namespace sgnn::cpu {

enum class Isa : int32_t { kBaseline, kAvx2, kAvx512 };

// Best instruction set of this processor that the build contains.
Isa detect_isa();

// The set in use: detect_isa() unless set_isa() lowered it. set_isa returns false, and changes
// nothing, for a set that this processor or the build lacks; it exists for tests and is not meant
// to race with running ops.
Isa current_isa();
bool set_isa(Isa isa);

}  // namespace sgnn::cpu

// The build defines SGNN_HAS_<set> for every set that it contains.
#if defined(SGNN_HAS_baseline)
#define SGNN_IF_BASELINE(...) __VA_ARGS__
#else
#define SGNN_IF_BASELINE(...)
#endif
#if defined(SGNN_HAS_avx2)
#define SGNN_IF_AVX2(...) __VA_ARGS__
#else
#define SGNN_IF_AVX2(...)
#endif
#if defined(SGNN_HAS_avx512)
#define SGNN_IF_AVX512(...) __VA_ARGS__
#else
#define SGNN_IF_AVX512(...)
#endif

// Calls sgnn::cpu::<isa in use>::fn(...).
#define SGNN_CALL_ISA(fn, ...)                                                                    \
  switch (::sgnn::cpu::current_isa()) {                                                           \
    SGNN_IF_AVX512(case ::sgnn::cpu::Isa::kAvx512 : return ::sgnn::cpu::avx512::fn(__VA_ARGS__);) \
    SGNN_IF_AVX2(case ::sgnn::cpu::Isa::kAvx2 : return ::sgnn::cpu::avx2::fn(__VA_ARGS__);)       \
    SGNN_IF_BASELINE(                                                                             \
        case ::sgnn::cpu::Isa::kBaseline : return ::sgnn::cpu::baseline::fn(__VA_ARGS__);)        \
    default:                                                                                      \
      std::abort();                                                                               \
  }
