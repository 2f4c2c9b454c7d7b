// Turns the tensors of sparse rows into the kernels' view of them.
#pragma once

#include "checks.h"
#include "sgnn/sparse_rows.h"

namespace sgnn::binding {

// torch's dtype of the ids. int16 rather than uint16: torch computes with the former everywhere.
ScalarType id_scalar_type(IdType type);

// Sparse rows [rows, num_cols] as they appear in every schema: ids and values [N, k] without a row
// pointer, or ids and values [nnz] with one. Contiguous, on the device of `reference`.
RowsArg rows_arg(const OptionalTensor& rowptr, const Tensor& ids, const Tensor& values,
                 int64_t num_cols, const Tensor& reference);

}  // namespace sgnn::binding
