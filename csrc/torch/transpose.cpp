#include "sgnn/transpose.h"

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include "huge_pages.h"
#include "parallel.h"

namespace sgnn::binding {
namespace {

constexpr int64_t kBlock = 32;  // rows of the result

Tensor transpose_on_cpu(Tensor x) {
  check_dim(x, 2, "x");
  const DType dtype = float_type(x, "x");
  const Tensor source = torch::stable::contiguous(x);
  const Tensor y = torch::stable::new_empty(x, {x.size(1), x.size(0)});
  const TransposeArgs args{source.const_data_ptr(), y.mutable_data_ptr(), x.size(0), x.size(1),
                           element_bytes(dtype)};
  advise_huge_pages(y);
  for_each_block(args.cols, kBlock, args.rows,
                 [&](int64_t begin, int64_t end) { transpose_cpu(args, begin, end); });
  return y;
}

Tensor transpose_on_cuda(Tensor x) {
  check_dim(x, 2, "x");
  return torch::stable::contiguous(torch::stable::transpose(x, 0, 1));
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("transpose", TORCH_BOX(&sgnn::binding::transpose_on_cpu));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("transpose", TORCH_BOX(&sgnn::binding::transpose_on_cuda));
}
