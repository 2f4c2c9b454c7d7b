// Runs spmm_cpu over all rows and columns on torch's threads.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "parallel.h"
#include "sgnn/spmm.h"

namespace sgnn::binding {

constexpr int64_t kCacheLine = 64;

// Columns of x side by side, a cache line's bound before every row.
class PackedColumns {
 public:
  PackedColumns(const SpmmArgs& args, int64_t columns)
      : args_(args),
        element_(element_bytes(args.dtype)),
        stride_((columns * element_ + kCacheLine - 1) / kCacheLine * kCacheLine),
        data_(static_cast<char*>(std::aligned_alloc(kCacheLine, args.csr.num_cols * stride_))) {
    if (data_ == nullptr) throw std::bad_alloc();
  }

  // The same product from a copy of the columns [first, last).
  SpmmArgs pack(int64_t first, int64_t last) {
    const char* x = static_cast<const char*>(args_.x) + first * element_;
    const auto bytes = static_cast<size_t>((last - first) * element_);
    for_each_block(args_.csr.num_cols, 64, last - first, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        memcpy(data_.get() + row * stride_, x + row * args_.x_stride * element_, bytes);
      }
    });
    SpmmArgs part = args_;
    part.x = data_.get();
    part.x_stride = stride_ / element_;
    part.x_first = first;
    return part;
  }

 private:
  struct Free {
    void operator()(char* data) const { std::free(data); }
  };

  const SpmmArgs& args_;
  const int64_t element_;
  const int64_t stride_;  // bytes
  std::unique_ptr<char[], Free> data_;
};

inline void run_columns_on_cpu(const SpmmArgs& args, int64_t first, int64_t last) {
  for_each_row_range(args.csr, last - first,
                     [&](int64_t begin, int64_t end) { spmm_cpu(args, begin, end, first, last); });
}

inline void run_spmm_on_cpu(const SpmmArgs& args) {
  const SpmmSlice slice = spmm_cpu_slice(args);
  std::unique_ptr<PackedColumns> packed;
  if (slice.packed) packed = std::make_unique<PackedColumns>(args, slice.columns);
  for (int64_t first = 0; first < args.width; first += slice.columns) {
    const int64_t left = args.width - first;
    const int64_t last = first + (slice.columns < left ? slice.columns : left);
    run_columns_on_cpu(packed == nullptr ? args : packed->pack(first, last), first, last);
  }
}

inline void run_spmm_push_on_cpu(const SpmmArgs& args, const CsrArg& by_source, int64_t slice) {
  const int64_t parts = (args.width + slice - 1) / slice;
  const int64_t threads = torch::stable::get_num_threads();
  for_each_part(parts, threads, [&](int64_t part) {
    const int64_t last = (part + 1) * slice;
    spmm_push_cpu(args, by_source, part * slice, last < args.width ? last : args.width);
  });
}

}  // namespace sgnn::binding
