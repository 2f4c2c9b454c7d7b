// Qualifiers shared by code that is compiled for the host, for the device and for the emulator.
#pragma once

#if defined(__CUDACC__)
#define SGNN_HD __host__ __device__ __forceinline__
#else
#define SGNN_HD inline
#endif

#define SGNN_RESTRICT __restrict__
