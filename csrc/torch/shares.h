// Sums over all rows of a graph, such as the gradient of a parameter that every edge uses: each
// share of the rows gives a part, and the parts are added in their order.
#pragma once

#include "parallel.h"

namespace sgnn::binding {

constexpr int64_t kEdgesPerShare = 4096;
constexpr int64_t kMostShares = 256;

// The number of shares depends on the graph alone, so that a sum does not depend on the threads.
inline int64_t shares_of(const CsrArg& csr) {
  const int64_t wanted = (csr.nnz + csr.num_rows) / kEdgesPerShare + 1;
  return wanted < kMostShares ? wanted : kMostShares;
}

// Calls body(share, row_begin, row_end) for every share.
template <typename Body>
void for_each_share(const CsrArg& csr, int64_t shares, int64_t work_per_nonzero, const Body& body) {
  const bool serial = csr.nnz * work_per_nonzero < kSerialWork;
  for_each_part(shares, serial ? 1 : torch::stable::get_num_threads(), [&](int64_t share) {
    body(share, row_of_part(csr, shares, share), row_of_part(csr, shares, share + 1));
  });
}

// out [columns]: the sum of all rows, in their order.
template <typename A>
void sum_rows(const void* values, int64_t rows, int64_t columns, void* out) {
  const auto* value = static_cast<const A*>(values);
  auto* total = static_cast<A*>(out);
  for (int64_t c = 0; c < columns; ++c) total[c] = A(0);
  for (int64_t i = 0; i < rows * columns; ++i) total[i % columns] += value[i];
}

// The same for values of acc_t<dtype>.
inline void sum_shares(DType dtype, const void* values, int64_t rows, int64_t columns, void* out) {
  const bool wide = dtype == DType::kFloat64;
  (wide ? sum_rows<double> : sum_rows<float>)(values, rows, columns, out);
}

}  // namespace sgnn::binding
