#include "sgnn/spmm.h"

#include "isa.h"

namespace sgnn {

namespace {

constexpr int64_t kL2Bytes = 1 << 20;   // of one core, the usual size on servers since 2017
constexpr int64_t kL2SliceBytes = 512;  // of a row of x, when such slices fit the L2 cache
constexpr int64_t kMinReuse = 4;  // gathers per row of x under which a second pass does not pay

}  // namespace

void spmm_cpu(const SpmmArgs& args, int64_t row_begin, int64_t row_end, int64_t feature_begin,
              int64_t feature_end) {
  SGNN_CALL_ISA(spmm, args, row_begin, row_end, feature_begin, feature_end);
}

int64_t spmm_cpu_slice(const SpmmArgs& args) {
  const int64_t element = args.dtype == DType::kFloat64 ? 8 : args.dtype == DType::kFloat32 ? 4 : 2;
  const int64_t row_bytes = args.width * element;
  const int64_t rows = args.csr.num_cols;
  const bool reused = args.csr.nnz >= kMinReuse * rows;
  const bool slice_helps = rows * kL2SliceBytes <= kL2Bytes && rows * row_bytes > kL2Bytes;
  if (!reused || !slice_helps || row_bytes <= kL2SliceBytes) return args.width;
  return kL2SliceBytes / element;
}

}  // namespace sgnn
