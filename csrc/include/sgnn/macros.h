// Qualifiers shared by code that is compiled for the host, for the device and for the emulator.
#pragma once

#if defined(__CUDACC__)
#define SGNN_HD __host__ __device__ __forceinline__
#else
// Always inlined: the CPU kernels include these functions once per instruction set, and the linker
// must never merge the copies.
#define SGNN_HD inline __attribute__((always_inline))
#endif

#define SGNN_RESTRICT __restrict__
