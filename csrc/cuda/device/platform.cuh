// Where kernels get CUDA from: the toolkit, or the emulator of csrc/tests/emu. Kernels are launched
// and shared memory is declared through these macros only, so that both work on the same source.
#pragma once

#include <cstdint>

#include "sgnn/macros.h"
#include "sgnn/status.h"

#if defined(SGNN_EMULATE)
#include "emu/cuda_emulator.h"
#else
#include <cuda_runtime.h>

#define SGNN_SHARED(type, name, count) __shared__ type name[count]

#define SGNN_LAUNCH(kernel, grid, block, smem_bytes, stream, ...) \
  kernel<<<(grid), (block), (smem_bytes), static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__)
#endif

namespace sgnn {

inline constexpr int kWarpSize = 32;
inline constexpr unsigned kFullWarp = 0xffffffffu;
inline constexpr int64_t kMaxGridY = 65535;

SGNN_HD int64_t ceil_div(int64_t count, int64_t size) { return (count + size - 1) / size; }

// What a launcher returns after its last launch: null, or the runtime's sentence.
inline Status launch_status() {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

}  // namespace sgnn
