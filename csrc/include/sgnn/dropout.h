// Dropout by position, after a bias and ReLU where they are asked for:
//
//   y[k] = dropout(act(x[k] + bias[k % width]))
//
// Dropout keeps element k when dropout_keeps(*seed, k, threshold) and scales it by 65536 /
// threshold; a dropped element is zero, whatever it was. It repeats the dropout that another
// operator's epilogue applied under the same seed. Without bias and ReLU it is linear in x, so it
// is its own derivative.
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
  uint32_t threshold = kKeepAll;  // of 65536; kKeepAll drops nothing and reads no seed
  const int64_t* seed = nullptr;  // [1], where the op runs
  const void* bias = nullptr;     // acc_t<T> [width] or null
  int64_t width = 0;              // of a row, where there is a bias
  bool relu = false;
};

// Elements [begin, end) on the calling thread.
void dropout_cpu(const DropoutArgs& args, int64_t begin, int64_t end);

// Enqueues all elements on `stream`; pointers are device pointers. Neither allocates nor
// synchronises.
Status dropout_cuda(const DropoutArgs& args, Stream stream);

// The derivative of ReLU and dropout from their result y alone, without a random number:
// out[k] = grad[k] * 65536 / threshold, or zero where y[k] <= 0. A NaN in y lets it through.
struct DropoutGradArgs {
  DType dtype = DType::kFloat32;  // T: element type of all three
  int64_t count = 0;
  const void* grad = nullptr;     // T [count]
  const void* y = nullptr;        // T [count]
  void* out = nullptr;            // T [count], may be grad
  uint32_t threshold = kKeepAll;  // of 65536
};

// Elements [begin, end) on the calling thread.
void dropout_grad_cpu(const DropoutGradArgs& args, int64_t begin, int64_t end);

// As dropout_cuda.
Status dropout_grad_cuda(const DropoutGradArgs& args, Stream stream);

}  // namespace sgnn
