// SpMM for other launchers of this folder: spmm_cuda with a bias per row, as transposed layouts
// need.
#pragma once

#include "sgnn/spmm.h"

namespace sgnn {

// `row_bias` is acc_t<T> [M] or null, added before the activation.
Status launch_spmm(const SpmmArgs& args, const void* row_bias, Stream stream);

}  // namespace sgnn
