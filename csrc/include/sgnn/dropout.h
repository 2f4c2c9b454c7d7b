// Dropout by position: y[k] = x[k] * 65536 / threshold where dropout_keeps(*seed, k, threshold),
// zero elsewhere, whatever x[k] is. Linear in x, so it is its own derivative, and it repeats the
// dropout that another operator's epilogue applied under the same seed.
#pragma once

#include <cstdint>

#include "sgnn/random.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

struct DropoutArgs {
  DType dtype = DType::kFloat32;  // T: element type of x and y
  int64_t count = 0;
  const void* x = nullptr;        // T [count]
  void* y = nullptr;              // T [count], may be x
  uint32_t threshold = kKeepAll;  // of 65536
  const int64_t* seed = nullptr;  // [1], where the op runs
};

// Elements [begin, end) on the calling thread.
void dropout_cpu(const DropoutArgs& args, int64_t begin, int64_t end);

// Enqueues all elements on `stream`; pointers are device pointers. Neither allocates nor
// synchronises.
Status dropout_cuda(const DropoutArgs& args, Stream stream);

}  // namespace sgnn
