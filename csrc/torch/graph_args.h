// Turns the CSR tensors of an op's signature into the kernels' view of them.
#pragma once

#include "checks.h"
#include "sgnn/csr.h"

namespace sgnn::binding {

// CSR tensors as they appear in every schema: rowptr [M + 1], col [nnz], optional edge_id [nnz],
// all of one index type, on one device, contiguous. `num_cols` is what the columns index.
CsrArg csr_arg(const Tensor& rowptr, const Tensor& col, const OptionalTensor& edge_id,
               int64_t num_cols);

// Number of rows of a CSR matrix with this row pointer.
int64_t rows_of(const Tensor& rowptr, const char* name);

}  // namespace sgnn::binding
