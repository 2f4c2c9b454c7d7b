#include "rows_args.h"

#include "graph_args.h"

namespace sgnn::binding {
namespace {

RowsArg fixed_rows(const Tensor& ids, int64_t num_cols) {
  check_dim(ids, 2, "ids");
  RowsArg rows;
  rows.num_rows = ids.size(0);
  rows.k = ids.size(1);
  rows.id_type = id_type_for(num_cols);
  check_dtype(ids, id_scalar_type(rows.id_type), "ids");
  return rows;
}

RowsArg csr_rows(const Tensor& rowptr, const Tensor& ids, int64_t num_cols) {
  const CsrArg csr = csr_arg(rowptr, ids, std::nullopt, num_cols);
  RowsArg rows;
  rows.num_rows = csr.num_rows;
  rows.rowptr = csr.rowptr;
  rows.id_type = csr.index_type == IndexType::kInt32 ? IdType::kInt32 : IdType::kInt64;
  return rows;
}

}  // namespace

ScalarType id_scalar_type(IdType type) {
  switch (type) {
    case IdType::kUint8:
      return ScalarType::Byte;
    case IdType::kInt16:
      return ScalarType::Short;
    case IdType::kInt32:
      return ScalarType::Int;
    default:
      return ScalarType::Long;
  }
}

RowsArg rows_arg(const OptionalTensor& rowptr, const Tensor& ids, const Tensor& values,
                 int64_t num_cols, const Tensor& reference) {
  SGNN_CHECK(num_cols >= 0 && num_cols <= INT32_MAX,
             "num_cols must lie in [0, 2^31), got " + std::to_string(num_cols) + ".");
  RowsArg rows = rowptr.has_value() ? csr_rows(*rowptr, ids, num_cols) : fixed_rows(ids, num_cols);
  check_device(ids, reference, "ids");
  check_device(values, reference, "values");
  bool same_shape = values.dim() == ids.dim();
  for (int64_t d = 0; same_shape && d < ids.dim(); ++d) same_shape = values.size(d) == ids.size(d);
  SGNN_CHECK(same_shape,
             "values must have shape " + shape_text(ids) + ", got " + shape_text(values) + ".");
  SGNN_CHECK(ids.is_contiguous(), "ids must be contiguous, got a strided view.");
  SGNN_CHECK(values.is_contiguous(), "values must be contiguous, got a strided view.");
  rows.num_cols = num_cols;
  rows.nnz = ids.numel();
  rows.ids = ids.const_data_ptr();
  rows.values = values.const_data_ptr();
  return rows;
}

}  // namespace sgnn::binding
