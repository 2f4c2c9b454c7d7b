// SpMM for other launchers of this folder: spmm_cuda with a bias per row, as transposed layouts
// need.
#pragma once

#include "sgnn/spmm.h"

namespace sgnn {

// `row_bias` is acc_t<T> [M] or null, added before the activation. Without a workspace hub rows are
// left whole, which suits patterns whose width alone fills the device.
Status launch_spmm(const SpmmArgs& args, const void* row_bias, void* workspace, Stream stream);

}  // namespace sgnn
