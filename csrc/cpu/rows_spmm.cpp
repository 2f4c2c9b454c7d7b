#include "sgnn/rows_spmm.h"

#include <algorithm>
#include <cmath>

#include "rows_spmm_isa.h"

namespace sgnn {

void rows_spmm_cpu(const RowsSpmmArgs& args, int64_t begin, int64_t end) {
  SGNN_CALL_ISA(rows_spmm, args, begin, end);
}

bool rows_spmm_dense_pays(const RowsSpmmArgs& args) {
  constexpr int64_t kDenseBytes = int64_t{512} << 10;
  const int64_t places_per_entry = cpu::current_isa() == cpu::Isa::kAvx512 ? 64
                                   : cpu::current_isa() == cpu::Isa::kAvx2 ? 20
                                                                           : 8;
  const RowsArg& x = args.x;
  const int64_t places = x.num_rows * x.num_cols;
  if (x.rowptr == nullptr || args.pattern.rowptr != nullptr || args.weight == nullptr) return false;
  if (args.row_scale != nullptr || args.col_scale != nullptr) return false;
  if (places == 0 || places * element_bytes(args.dtype) > kDenseBytes) return false;
  return places <= x.nnz * places_per_entry && places <= args.csr.nnz * x.nnz / x.num_rows;
}

bool rows_to_dense_cpu(const RowsSpmmArgs& args, void* dense) {
  bool single = true;
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    T* out = static_cast<T*>(dense);
    std::fill(out, out + args.x.num_rows * args.x.num_cols, from_acc<T>(0));
    dispatch_ids(args.x.id_type, [&](auto id) {
      const auto x = view_rows<typename decltype(id)::type>(args.x);
      for (int64_t j = 0; j < x.num_rows; ++j) {
        for (int64_t p = x.begin(j); p < x.end(j); ++p) {
          single = single && (p == x.begin(j) || x.ids[p - 1] != x.ids[p]);
          out[j * x.num_cols + x.ids[p]] = static_cast<const T*>(args.x.values)[p];
        }
      }
    });
  });
  return single;
}

bool finite_weights_cpu(const RowsSpmmArgs& args, int64_t begin, int64_t end) {
  bool finite = true;
  dispatch_acc(args.dtype, [&](auto type) {
    const auto* weight = static_cast<const typename decltype(type)::type*>(args.weight);
    for (int64_t e = begin; e < end; ++e) finite &= std::isfinite(weight[e]);
  });
  return finite;
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
