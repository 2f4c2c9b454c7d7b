#include "graph_args.h"

namespace sgnn::binding {
namespace {

constexpr int64_t kMaxCpuColumns = int64_t{1} << 32;

int64_t last_offset(const CsrArg& csr) {
  if (csr.index_type == IndexType::kInt32) return view_csr<int32_t>(csr).rowptr[csr.num_rows];
  return view_csr<int64_t>(csr).rowptr[csr.num_rows];
}

}  // namespace

int64_t rows_of(const Tensor& rowptr, const char* name) {
  SGNN_CHECK(rowptr.dim() == 1 && rowptr.numel() >= 1,
             std::string(name) + " must have shape [rows + 1], got " + shape_text(rowptr) + ".");
  return rowptr.numel() - 1;
}

CsrArg csr_arg(const Tensor& rowptr, const Tensor& col, const OptionalTensor& edge_id,
               int64_t num_cols) {
  CsrArg csr;
  csr.num_rows = rows_of(rowptr, "rowptr");
  csr.num_cols = num_cols;
  csr.nnz = col.numel();
  const ScalarType type = rowptr.scalar_type();
  SGNN_CHECK(type == ScalarType::Int || type == ScalarType::Long,
             "rowptr must have dtype int32 or int64, got " + dtype_name(type) + ".");
  csr.index_type = type == ScalarType::Int ? IndexType::kInt32 : IndexType::kInt64;
  check_vector(rowptr, csr.num_rows + 1, type, rowptr, "rowptr");
  check_vector(col, csr.nnz, type, rowptr, "col");
  csr.rowptr = rowptr.const_data_ptr();
  csr.col = col.const_data_ptr();
  if (edge_id.has_value()) {
    check_vector(*edge_id, csr.nnz, type, rowptr, "edge_id");
    csr.edge_id = edge_id->const_data_ptr();
  }
  if (rowptr.is_cpu()) {
    SGNN_CHECK(
        num_cols <= kMaxCpuColumns,
        "a graph on the CPU must have at most 2^32 sources, got " + std::to_string(num_cols) + ".");
    SGNN_CHECK(last_offset(csr) == csr.nnz, "rowptr must end with the number of edges " +
                                                std::to_string(csr.nnz) + ", got " +
                                                std::to_string(last_offset(csr)) + ".");
  }
  return csr;
}

}  // namespace sgnn::binding
