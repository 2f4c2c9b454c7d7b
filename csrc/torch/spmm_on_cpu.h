// Runs spmm_cpu over all rows and columns on torch's threads.
#pragma once

#include "parallel.h"
#include "sgnn/spmm.h"

namespace sgnn::binding {

inline void run_spmm_on_cpu(const SpmmArgs& args) {
  const int64_t slice = spmm_cpu_slice(args);
  for (int64_t first = 0; first < args.width; first += slice) {
    const int64_t last = first + slice < args.width ? first + slice : args.width;
    for_each_row_range(args.csr, last - first, [&](int64_t begin, int64_t end) {
      spmm_cpu(args, begin, end, first, last);
    });
  }
}

}  // namespace sgnn::binding
