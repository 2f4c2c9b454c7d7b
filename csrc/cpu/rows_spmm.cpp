#include "sgnn/rows_spmm.h"

#include "rows_spmm_isa.h"

namespace sgnn {

void rows_spmm_cpu(const RowsSpmmArgs& args, int64_t begin, int64_t end) {
  SGNN_CALL_ISA(rows_spmm, args, begin, end);
}

void rows_spmm_edges_cpu(const RowsSpmmArgs& args, int64_t begin, int64_t end) {
  SGNN_CALL_ISA(rows_spmm_edges, args, begin, end);
}

void rows_spmm_values_cpu(const RowsSpmmArgs& args, int64_t begin, int64_t end) {
  SGNN_CALL_ISA(rows_spmm_values, args, begin, end);
}

void sum_values_cpu(DType dtype, const void* sums, int64_t num_sums, int64_t size, void* values) {
  dispatch_dtype(dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const auto* parts = static_cast<const acc_t<T>*>(sums);
    for (int64_t p = 0; p < size; ++p) {
      acc_t<T> sum = 0;
      for (int64_t s = 0; s < num_sums; ++s) sum += parts[s * size + p];
      static_cast<T*>(values)[p] = from_acc<T>(sum);
    }
  });
}

}  // namespace sgnn
