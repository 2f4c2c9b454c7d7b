#include "sgnn/spmm.h"

#include "isa.h"

namespace sgnn {

namespace {

constexpr int64_t kL2Bytes = 1 << 20;   // of one core, the usual size on servers since 2017
constexpr int64_t kL3Bytes = 28 << 20;  // what one program can hope for of a last-level cache
constexpr int64_t kMinReuse = 4;  // gathers per row of x under which a second pass does not pay

// A slice of every row of x that fits a cache: the bytes of a row per slice, and how far over
// the cache the slices may go: narrow ones still pay where half of their gathers hit.
struct Slice {
  int64_t row_bytes;
  int64_t cache_bytes;
};
constexpr Slice kSlices[] = {{512, kL2Bytes}, {256, kL3Bytes}, {128, kL3Bytes + kL3Bytes / 2}};

int64_t element_bytes(DType dtype) {
  if (dtype == DType::kFloat64) return 8;
  return dtype == DType::kFloat32 ? 4 : 2;
}

// Whether rows of x this long already stay in the cache that a narrower slice would use.
bool fits_as_it_is(int64_t x_bytes, const Slice& slice) {
  return x_bytes <= (slice.cache_bytes > kL2Bytes ? kL3Bytes : kL2Bytes);
}

}  // namespace

void spmm_cpu(const SpmmArgs& args, int64_t row_begin, int64_t row_end, int64_t feature_begin,
              int64_t feature_end) {
  SGNN_CALL_ISA(spmm, args, row_begin, row_end, feature_begin, feature_end);
}

int64_t spmm_cpu_slice(const SpmmArgs& args) {
  const int64_t rows = args.csr.num_cols;
  if (args.csr.nnz < kMinReuse * rows) return args.width;
  const int64_t element = element_bytes(args.dtype);
  const int64_t row_bytes = args.width * element;
  for (const Slice& slice : kSlices) {
    if (row_bytes <= slice.row_bytes || fits_as_it_is(rows * row_bytes, slice)) continue;
    if (rows * slice.row_bytes <= slice.cache_bytes) return slice.row_bytes / element;
  }
  return args.width;
}

}  // namespace sgnn
