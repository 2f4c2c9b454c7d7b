// Aggregation whose rows are selected from while they are in the cache: y [M, F] is never stored.
#include <torch/csrc/stable/library.h>

#include <tuple>
#include <vector>

#include "huge_pages.h"
#include "parallel.h"
#include "spmm_args.h"
#include "topk_rows_args.h"

namespace sgnn::binding {
namespace {

constexpr int64_t kBlockBytes = 64 << 10;  // of y, beside the rows of x that it is made of

const void* advanced(const void* pointer, int64_t bytes) {
  return pointer == nullptr ? nullptr : static_cast<const char*>(pointer) + bytes;
}

// The aggregation of rows [begin, end) alone, into `y`.
SpmmArgs slice(const SpmmArgs& args, int64_t begin, int64_t end, void* y) {
  SpmmArgs part = args;
  const int64_t index_bytes = args.csr.index_type == IndexType::kInt32 ? 4 : 8;
  part.csr.num_rows = end - begin;
  part.csr.rowptr = advanced(args.csr.rowptr, begin * index_bytes);
  part.row_scale = advanced(args.row_scale, begin * acc_size(args.dtype));
  part.y = y;
  return part;
}

// The selection in rows [begin, end), which lie in `x`.
TopkRowsArgs slice(const TopkRowsArgs& args, int64_t begin, int64_t end, const void* x) {
  TopkRowsArgs part = args;
  part.num_rows = end - begin;
  part.x = x;
  part.x_stride = args.width;
  part.values = static_cast<char*>(args.values) + begin * args.k * element_bytes(args.dtype);
  part.ids = static_cast<char*>(args.ids) + begin * args.k * id_bytes(id_type_for(args.width));
  return part;
}

void run(const SpmmArgs& sums, const TopkRowsArgs& selection) {
  const int64_t row_bytes = sums.width * element_bytes(sums.dtype);
  const int64_t block = row_bytes < kBlockBytes ? kBlockBytes / row_bytes : 1;
  for_each_row_range(sums.csr, sums.width, [&](int64_t begin, int64_t end) {
    std::vector<char> y(
        static_cast<size_t>(row_bytes * (end - begin < block ? end - begin : block)));
    for (int64_t row = begin; row < end; row += block) {
      const int64_t stop = row + block < end ? row + block : end;
      spmm_cpu(slice(sums, row, stop, y.data()), 0, stop - row);
      topk_rows_cpu(slice(selection, row, stop, y.data()), 0, stop - row);
    }
  });
}

std::tuple<Tensor, Tensor> spmm_topk(Tensor rowptr, Tensor col, OptionalTensor edge_id,
                                     Tensor t_rowptr, Tensor, OptionalTensor, Tensor x,
                                     OptionalTensor weight, OptionalTensor mask,
                                     OptionalTensor bits, OptionalTensor row_scale,
                                     OptionalTensor col_scale, OptionalTensor bias, bool mean,
                                     bool relu, int64_t k, bool magnitude) {
  SpmmCall sums =
      spmm_call(rowptr, col, edge_id, t_rowptr, x, weight, mask, bits, row_scale, col_scale, bias);
  sums.args.mean = mean;
  sums.args.relu = relu;
  sums.args.out_dtype = sums.args.dtype;
  const TopkRowsCall selection = topk_rows_call(x, sums.args.csr.num_rows, k, magnitude);
  advise_huge_pages(selection.values);
  advise_huge_pages(selection.ids);
  if (k > 0) run(sums.args, selection.args);
  return {selection.values, selection.ids};
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("spmm_topk", TORCH_BOX(&sgnn::binding::spmm_topk));
}
