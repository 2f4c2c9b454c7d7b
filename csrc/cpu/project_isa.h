// What the dense projection compiles once per instruction set.
#pragma once

#include "isa.h"
#include "sgnn/types.h"

namespace sgnn::cpu {

// z [rows, outputs] = h [rows, width] w [outputs, width]^T; z is contiguous and holds acc_t<T>.
struct ProjectArgs {
  DType dtype;
  const void* h;
  int64_t h_stride;
  const void* w;
  int64_t w_stride;
  int64_t rows;
  int64_t width;
  int64_t outputs;
  void* z;
};

SGNN_PER_ISA(void project(const ProjectArgs& args);)

}  // namespace sgnn::cpu
