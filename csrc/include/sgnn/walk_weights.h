// Sums of edge weights from which a walk draws its next edge in proportion to the weights.
//
// sum[p] adds the weights of the stored positions from the end of p's row down to p, one after the
// other in float64: the same bits on every device and any thread count. What a walk may take is a
// suffix of a row (all of it, or the edges of later times), so sum[first] is the exact total of
// what it chooses from, and no difference of large sums is ever taken.
//
// A weight that is negative, NaN or infinite makes the sums from its position to the front of the
// row NaN; a walk that may take such an edge ends.
#pragma once

#include <cstdint>
#include <limits>

#include "sgnn/csr.h"
#include "sgnn/status.h"

namespace sgnn {

struct WalkWeightsArgs {
  CsrArg csr;                      // columns are not read
  const double* weight = nullptr;  // [nnz] by edge id
  double* sum = nullptr;           // [nnz] per stored position
};

void walk_weights_cpu(const WalkWeightsArgs& args, int64_t row_begin, int64_t row_end);
Status walk_weights_cuda(const WalkWeightsArgs& args, Stream stream);

constexpr double kLargestSum = std::numeric_limits<double>::max();
constexpr double kNoSum = std::numeric_limits<double>::quiet_NaN();

// The weight as it is added.
SGNN_HD double checked_weight(double weight) {
  return weight >= 0.0 && weight <= kLargestSum ? weight : kNoSum;
}

}  // namespace sgnn
