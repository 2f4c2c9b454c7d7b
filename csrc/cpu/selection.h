// Exact selection of the k largest scores over several tensors.
#pragma once

#include <vector>

#include "select_pass.h"
#include "sgnn/executor.h"

namespace sgnn::cpu {

struct SelectTensor {
  SelectScores scores;
  int64_t size = 0;
  uint8_t* keep = nullptr;  // [size], written
};

// Phases over fewer scores than this run on the calling thread.
constexpr int64_t kSerialScores = 1 << 15;

// keep = 1 for the k largest scores that take part, in the order of topk_mask, else 0. Requires
// 0 <= k <= number of scores that take part.
//
// One pass in the common case: a sample brackets the k-th largest key; the pass marks what lies
// above the bracket and collects what lies inside, among which the threshold is found. Where the
// bracket misses or holds too much, a pass sets the key that the sample repeats apart, or else a
// histogram narrows it, and the pass is repeated.
void select_largest(const std::vector<SelectTensor>& tensors, int64_t k, const Executor& executor);

}  // namespace sgnn::cpu
