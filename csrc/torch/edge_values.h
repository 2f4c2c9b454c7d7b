// Checks of matrices of accumulators: one value per head of every edge or node.
#pragma once

#include "checks.h"

namespace sgnn::binding {

// fp32 or fp64; an error for every other dtype.
inline DType acc_type(const Tensor& tensor, const char* name) {
  const DType dtype = float_type(tensor, name);
  SGNN_CHECK(dtype == DType::kFloat32 || dtype == DType::kFloat64,
             std::string(name) + " must be float32 or float64, got " +
                 dtype_name(tensor.scalar_type()) + ".");
  return dtype;
}

// A contiguous matrix [rows, columns] of accumulators on the device of `reference`.
inline void check_matrix(const Tensor& tensor, int64_t rows, int64_t columns, DType dtype,
                         const Tensor& reference, const char* name) {
  SGNN_CHECK(tensor.dim() == 2 && tensor.size(0) == rows && tensor.size(1) == columns,
             std::string(name) + " must have shape [" + std::to_string(rows) + ", " +
                 std::to_string(columns) + "], got " + shape_text(tensor) + ".");
  check_dtype(tensor, acc_scalar_type(dtype), name);
  check_device(tensor, reference, name);
  SGNN_CHECK(tensor.is_contiguous(),
             std::string(name) + " must be contiguous, got a strided view.");
}

// The data of an optional matrix of accumulators, null when absent.
inline const void* optional_matrix(const OptionalTensor& tensor, int64_t rows, int64_t columns,
                                   DType dtype, const Tensor& reference, const char* name) {
  if (!tensor.has_value()) return nullptr;
  check_matrix(*tensor, rows, columns, dtype, reference, name);
  return tensor->const_data_ptr();
}

}  // namespace sgnn::binding
