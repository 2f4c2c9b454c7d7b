// The dropout arguments of an op's signature: a probability and a seed that lives where the op
// runs.
#pragma once

#include "checks.h"

namespace sgnn::binding {

// Threshold of 65536 for dropping with probability `p`.
uint32_t checked_dropout_threshold(double p);

// The seed of dropout: int64 [1] on the device of `reference`.
const int64_t* checked_seed(const OptionalTensor& seed, const Tensor& reference);

}  // namespace sgnn::binding
