// What the operators that select in rows have in common: the results and the checks of k.
#pragma once

#include "checks.h"
#include "sgnn/topk_rows.h"

namespace sgnn::binding {

struct TopkRowsCall {
  Tensor values;
  Tensor ids;
  TopkRowsArgs args;  // all but the rows to select from
};

// Results for `rows` rows of the width, dtype and device of x [., F].
TopkRowsCall topk_rows_call(const Tensor& x, int64_t rows, int64_t k, bool magnitude);

}  // namespace sgnn::binding
