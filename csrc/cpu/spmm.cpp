#include "sgnn/spmm.h"

#include <algorithm>

#include "spmm_isa.h"

namespace sgnn {

namespace {

constexpr int64_t kL2Bytes = 1 << 20;  // of one core, the usual size on servers since 2017
constexpr int64_t kSliceBytes = 512;   // of a row of x
constexpr int64_t kMinReuse = 4;  // gathers per row of x under which a second pass does not pay
constexpr int64_t kFarBytes = 8 << 20;            // of x, from which gathers wait for it
constexpr int64_t kPushBytes[] = {128, 64};       // of a row of y
constexpr int64_t kPushCache = kL2Bytes / 4 * 3;  // for a slice of y
constexpr int64_t kPushParts = 8;                 // slices that keep many threads busy

// Bytes of a row of x that are copied beside those of others, and the gathers per row from which
// that pays: the narrower a slice is, the more often the edges are read.
struct PackedSlice {
  int64_t bytes;
  int64_t reuse;
};
constexpr PackedSlice kPackedSlices[] = {{512, 16}, {256, 24}, {128, 64}};
constexpr int64_t kPushReuse = 16;

bool has_epilogue(const SpmmArgs& args) {
  return args.bias != nullptr || args.relu || args.mean || args.residual != nullptr ||
         args.dropout_threshold != kKeepAll || args.out_dtype != args.dtype ||
         args.row_scale != nullptr || args.col_scale != nullptr;
}

}  // namespace

void spmm_cpu(const SpmmArgs& args, int64_t row_begin, int64_t row_end, int64_t feature_begin,
              int64_t feature_end) {
  SGNN_CALL_ISA(spmm, args, row_begin, row_end, feature_begin, feature_end);
}

SpmmSlice spmm_cpu_slice(const SpmmArgs& args) {
  const int64_t rows = args.csr.num_cols;
  const int64_t element = element_bytes(args.dtype);
  const int64_t bytes = rows * args.width * element;
  const SpmmSlice whole{args.width, false};
  for (const PackedSlice& slice : kPackedSlices) {
    const bool pays = args.csr.nnz >= slice.reuse * rows && bytes > kL2Bytes / 2;
    const bool fits = rows * slice.bytes <= kL2Bytes && slice.bytes < args.width * element;
    if (pays && fits) return {slice.bytes / element, true};
  }
  const bool reused = args.csr.nnz >= kMinReuse * rows;
  if (!reused || bytes <= kL2Bytes || rows * kSliceBytes > kL2Bytes) return whole;
  return {std::min(args.width, kSliceBytes / element), false};
}

int64_t spmm_cpu_push_slice(const SpmmArgs& args) {
  const int64_t acc = args.dtype == DType::kFloat64 ? 8 : 4;
  const int64_t sources = args.csr.num_cols;
  const bool gathers_from_afar = sources * args.width * element_bytes(args.dtype) > kFarBytes;
  if (!gathers_from_afar || args.csr.nnz < kPushReuse * sources || has_epilogue(args)) return 0;
  for (const int64_t bytes : kPushBytes) {
    const bool fits = args.csr.num_rows * bytes <= kPushCache;
    if (fits && args.width * acc >= kPushParts * bytes) return bytes / acc;
  }
  return 0;
}

void spmm_push_cpu(const SpmmArgs& args, const CsrArg& by_source, int64_t feature_begin,
                   int64_t feature_end) {
  SGNN_CALL_ISA(spmm_push, args, by_source, feature_begin, feature_end);
}

}  // namespace sgnn
