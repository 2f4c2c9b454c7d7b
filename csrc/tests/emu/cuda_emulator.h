// The CUDA names that the kernels use, for a plain C++ compiler: the same sources then run on the
// CPU under sanitizers. Races and the memory model are out of its reach.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "emu/block.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

#define SGNN_SHARED(type, name, count)      \
  static const char name##_declaration = 0; \
  type* const name = static_cast<type*>(    \
      emu::Block::instance().shared(&name##_declaration, sizeof(type) * (count)))

#define SGNN_LAUNCH(kernel, grid, block, smem_bytes, stream, ...) \
  emu::launch((grid), (block), (smem_bytes), (stream), [&] { kernel(__VA_ARGS__); })

using cudaError_t = int;
inline constexpr cudaError_t cudaSuccess = 0;
inline constexpr cudaError_t cudaErrorInvalidConfiguration = 9;

struct uint2 {
  alignas(8) unsigned x;
  unsigned y;
};

struct uint4 {
  alignas(16) unsigned x;
  unsigned y, z, w;
};

namespace emu {

inline cudaError_t last_error = cudaSuccess;

// Runs every block of the grid to its end before it returns. Parameters are read in place, so a
// kernel must not change them, as on the device.
template <typename Body>
void launch(dim3 grid, dim3 block, size_t smem_bytes, void* /*stream*/, const Body& body) {
  constexpr unsigned kMaxGridYZ = 65535;
  const size_t threads = static_cast<size_t>(block.x) * block.y * block.z;
  const bool valid = grid.x > 0 && grid.x <= 0x7fffffffu && grid.y > 0 && grid.y <= kMaxGridYZ &&
                     grid.z > 0 && grid.z <= kMaxGridYZ && threads > 0 && threads <= 1024 &&
                     smem_bytes == 0;
  if (!valid) {
    last_error = cudaErrorInvalidConfiguration;
    return;
  }
  Block& runner = Block::instance();
  gridDim = grid;
  blockDim = block;
  const std::function<void()> function(body);
  const uint64_t count = static_cast<uint64_t>(grid.x) * grid.y * grid.z;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t linear = runner.reverse ? count - 1 - i : i;
    blockIdx = dim3(static_cast<unsigned>(linear % grid.x),
                    static_cast<unsigned>(linear / grid.x % grid.y),
                    static_cast<unsigned>(linear / grid.x / grid.y));
    runner.run(block, function);
  }
}

template <typename T>
T pick(const uint64_t* slots, unsigned mask, unsigned lane, const char* operation) {
  if ((mask >> lane & 1u) == 0) {
    Block::instance().fail(std::string(operation) + " reads lane " + std::to_string(lane) +
                           ", which takes no part");
  }
  T value;
  memcpy(&value, &slots[lane], sizeof(T));
  return value;
}

template <typename T>
uint64_t pack(T value) {
  static_assert(sizeof(T) <= 8, "a warp collective exchanges at most eight bytes");
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof(T));
  return bits;
}

}  // namespace emu

inline cudaError_t cudaGetLastError() {
  const cudaError_t error = emu::last_error;
  emu::last_error = cudaSuccess;
  return error;
}

inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : "invalid configuration argument";
}

inline void __syncthreads(int line = __builtin_LINE()) { emu::Block::instance().sync_block(line); }

inline void __syncwarp(unsigned mask = 0xffffffffu, int line = __builtin_LINE()) {
  emu::Block::instance().exchange(mask, 0, "__syncwarp", line);
}

template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, int line = __builtin_LINE()) {
  auto& block = emu::Block::instance();
  const unsigned base = block.lane() & ~static_cast<unsigned>(width - 1);
  const unsigned lane = base + (static_cast<unsigned>(source) & static_cast<unsigned>(width - 1));
  const uint64_t* slots = block.exchange(mask, emu::pack(value), "__shfl_sync", line);
  return emu::pick<T>(slots, mask, lane, "__shfl_sync");
}

template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int line = __builtin_LINE()) {
  auto& block = emu::Block::instance();
  const unsigned lane = block.lane() ^ static_cast<unsigned>(lanes);
  const uint64_t* slots = block.exchange(mask, emu::pack(value), "__shfl_xor_sync", line);
  return emu::pick<T>(slots, mask, lane, "__shfl_xor_sync");
}

template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int line = __builtin_LINE()) {
  auto& block = emu::Block::instance();
  const unsigned lane = block.lane();
  const uint64_t* slots = block.exchange(mask, emu::pack(value), "__shfl_up_sync", line);
  return lane < delta ? value : emu::pick<T>(slots, mask, lane - delta, "__shfl_up_sync");
}

inline unsigned __ballot_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
  auto& block = emu::Block::instance();
  const uint64_t* slots = block.exchange(mask, predicate != 0 ? 1u : 0u, "__ballot_sync", line);
  unsigned votes = 0;
  for (unsigned lane = 0; lane < emu::kWarp; ++lane) {
    if ((mask >> lane & 1u) != 0 && slots[lane] != 0) votes |= 1u << lane;
  }
  return votes;
}

inline int __any_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
  return __ballot_sync(mask, predicate, line) != 0 ? 1 : 0;
}

inline int __all_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
  return __ballot_sync(mask, predicate, line) == mask ? 1 : 0;
}

inline int __popc(unsigned bits) { return __builtin_popcount(bits); }

inline int __ffs(int bits) { return __builtin_ffs(bits); }

template <typename T>
T __ldg(const T* address) {
  return *address;
}

inline unsigned atomicOr(unsigned* address, unsigned value) {
  const unsigned before = *address;
  *address = before | value;
  return before;
}

template <typename T>
T atomicAdd(T* address, T value) {
  const T old = *address;
  *address = static_cast<T>(old + value);
  return old;
}
