#include "sgnn/block_linear.h"

#include <algorithm>

#include "block_linear_isa.h"
#include "sgnn/dispatch.h"

namespace sgnn {
namespace {

template <typename A, typename Index>
void sum_chunks(const CsrView<Index>& csr, int64_t area, const A* sums, int64_t chunks,
                int64_t begin, int64_t end, A* out) {
  for (int64_t j = begin; j < end; ++j) {
    A* target = out + csr.value_index(j) * area;
    const A* source = sums + j * area;
    for (int64_t i = 0; i < area; ++i) {
      A sum = source[i];
      for (int64_t c = 1; c < chunks; ++c) sum += source[c * csr.nnz * area + i];
      target[i] = sum;
    }
  }
}

}  // namespace

void block_linear_cpu(const BlockLinearArgs& args, int64_t sample_begin, int64_t sample_end) {
  SGNN_CALL_ISA(block_linear, args, sample_begin, sample_end);
}

int64_t block_linear_grad_chunks(const BlockLinearGradArgs& args) {
  constexpr int64_t kMost = 32;
  constexpr int64_t kFewestSamples = 256;
  const CsrArg& csr = args.csr;
  const int64_t by_samples = args.num_samples / kFewestSamples;
  // The sums of all chunks stay smaller than x and g.
  const int64_t by_memory =
      args.num_samples * (csr.num_rows + csr.num_cols) / std::max<int64_t>(csr.nnz * args.block, 1);
  return std::clamp<int64_t>(std::min(by_samples, by_memory), 1, kMost);
}

void block_linear_grad_cpu(const BlockLinearGradArgs& args, const BlockGradPart& part) {
  SGNN_CALL_ISA(block_linear_grad, args, part);
}

void block_linear_grad_sum_cpu(const BlockLinearGradArgs& args, const void* sums, int64_t chunks,
                               int64_t begin, int64_t end) {
  const int64_t area = args.block * args.block;
  dispatch_index(args.csr.index_type, [&](auto index) {
    const auto csr = view_csr<typename decltype(index)::type>(args.csr);
    if (args.dtype == DType::kFloat64) {
      sum_chunks(csr, area, static_cast<const double*>(sums), chunks, begin, end,
                 static_cast<double*>(args.out));
    } else {
      sum_chunks(csr, area, static_cast<const float*>(sums), chunks, begin, end,
                 static_cast<float*>(args.out));
    }
  });
}

}  // namespace sgnn
