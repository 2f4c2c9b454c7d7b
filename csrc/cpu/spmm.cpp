#include "sgnn/spmm.h"

#include <algorithm>

#include "spmm_isa.h"

namespace sgnn {

namespace {

constexpr int64_t kL2Bytes = 1 << 20;  // of one core, the usual size on servers since 2017
constexpr int64_t kSliceBytes = 512;   // of a row of x
constexpr int64_t kMinReuse = 4;  // gathers per row of x under which a second pass does not pay

}  // namespace

void spmm_cpu(const SpmmArgs& args, int64_t row_begin, int64_t row_end, int64_t feature_begin,
              int64_t feature_end) {
  SGNN_CALL_ISA(spmm, args, row_begin, row_end, feature_begin, feature_end);
}

int64_t spmm_cpu_slice(const SpmmArgs& args) {
  const int64_t rows = args.csr.num_cols;
  const int64_t element = element_bytes(args.dtype);
  const bool reused = args.csr.nnz >= kMinReuse * rows;
  const bool fits = rows * args.width * element <= kL2Bytes;
  if (!reused || fits || rows * kSliceBytes > kL2Bytes) return args.width;
  return std::min(args.width, kSliceBytes / element);
}

}  // namespace sgnn
