#include "sgnn/sparse_linear.h"

#include <algorithm>

#include "packed_rows.h"
#include "sgnn/dispatch.h"
#include "sparse_linear_isa.h"

namespace sgnn {
namespace {

template <typename A, typename Index>
void sum_chunks(const CsrView<Index>& csr, const A* sums, int64_t chunks, int64_t begin,
                int64_t end, A* out) {
  for (int64_t j = begin; j < end; ++j) {
    A sum = sums[j];
    for (int64_t c = 1; c < chunks; ++c) sum += sums[c * csr.nnz + j];
    out[csr.value_index(j)] = sum;
  }
}

}  // namespace

int64_t sparse_linear_packed_bytes(const CsrArg& csr, DType dtype) {
  return dtype == DType::kFloat64 ? cpu::packed_bytes<double>(csr) : cpu::packed_bytes<float>(csr);
}

void sparse_linear_pack(const SparseLinearArgs& args, void* packed) {
  dispatch_index(args.csr.index_type, [&](auto index) {
    const auto csr = view_csr<typename decltype(index)::type>(args.csr);
    if (args.dtype == DType::kFloat64) {
      cpu::pack_rows(csr, static_cast<const double*>(args.values), packed);
    } else {
      cpu::pack_rows(csr, static_cast<const float*>(args.values), packed);
    }
  });
}

void sparse_linear_cpu(const SparseLinearArgs& args, const void* packed, int64_t sample_begin,
                       int64_t sample_end) {
  SGNN_CALL_ISA(sparse_linear, args, packed, sample_begin, sample_end);
}

int64_t sparse_linear_grad_chunks(const SparseLinearGradArgs& args) {
  constexpr int64_t kMost = 32;
  constexpr int64_t kFewestSamples = 256;
  const CsrArg& csr = args.csr;
  const int64_t by_samples = args.num_samples / kFewestSamples;
  // The sums of all chunks stay smaller than x and g.
  const int64_t by_memory =
      args.num_samples * (csr.num_rows + csr.num_cols) / std::max<int64_t>(csr.nnz, 1);
  return std::clamp<int64_t>(std::min(by_samples, by_memory), 1, kMost);
}

void sparse_linear_grad_cpu(const SparseLinearGradArgs& args, const LinearGradPart& part) {
  SGNN_CALL_ISA(sparse_linear_grad, args, part);
}

void sparse_linear_grad_sum_cpu(const SparseLinearGradArgs& args, const void* sums, int64_t chunks,
                                int64_t begin, int64_t end) {
  dispatch_index(args.csr.index_type, [&](auto index) {
    const auto csr = view_csr<typename decltype(index)::type>(args.csr);
    if (args.dtype == DType::kFloat64) {
      sum_chunks(csr, static_cast<const double*>(sums), chunks, begin, end,
                 static_cast<double*>(args.out));
    } else {
      sum_chunks(csr, static_cast<const float*>(sums), chunks, begin, end,
                 static_cast<float*>(args.out));
    }
  });
}

}  // namespace sgnn
