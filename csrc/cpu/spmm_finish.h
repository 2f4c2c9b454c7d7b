// The epilogue of SpMM on a run of columns of one row, for results that need more than a scale, a
// bias and ReLU: dropout, a residual, another element type.
#pragma once

#include <type_traits>

#include "dropout_bits.h"
#include "past_caches.h"
#include "sgnn/spmm.h"
#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A>
class SpmmFinish {
 public:
  explicit SpmmFinish(const SpmmArgs& args)
      : args_(args),
        bias_(static_cast<const A*>(args.bias)),
        scale_(dropout_scale<A>(args.dropout_threshold)),
        bits_(args.seed, args.dropout_threshold),
        plain_(args.residual == nullptr && args.dropout_threshold == kKeepAll &&
               args.out_dtype == args.dtype),
        stream_(plain_ &&
                streams<A>(args.y, args.csr.num_rows, args.width, element_bytes(args.out_dtype))),
        bare_(plain_ && !stream_ && !args.mean && args.row_scale == nullptr &&
              args.bias == nullptr && !args.relu) {}

  // Columns [first, first + count) of `row` from the sums of its edges in kTile vectors.
  template <typename T, int kTile, bool kPartial>
  SGNN_INLINE void write_tile(int64_t row, int64_t first, int count, A factor,
                              const vec_t<A>* sum) {
    constexpr int kVector = kLanes<A>;
    T* target = static_cast<T*>(args_.y) + row * args_.width + first;
    if (bare_) {
#pragma GCC unroll 16
      for (int v = 0; v < kTile; ++v) {
        if (kPartial && v + 1 == kTile) {
          store_partial<T>(target + v * kVector, sum[v], count - v * kVector);
        } else {
          store(target + v * kVector, sum[v]);
        }
      }
      return;
    }
    if (!plain_) {
      A sums[kTile * kVector];
      for (int v = 0; v < kTile; ++v) store(sums + v * kVector, sum[v]);
      return write(row, first, count, factor, sums);
    }
#pragma GCC unroll 16
    for (int v = 0; v < kTile; ++v) {
      const int lanes = v + 1 < kTile ? kVector : count - v * kVector;
      vec_t<A> value = sum[v] * splat(factor);
      if (bias_ != nullptr) value += load_first(bias_ + first + v * kVector, lanes);
      if (args_.relu) value = relu_vec(value);
      if (stream_ && lanes == kVector) {
        store_past_caches(target + v * kVector, value);
      } else {
        store_first(target + v * kVector, value, lanes);
      }
    }
  }

  // Makes what was stored past the caches visible to other threads.
  void done() const {
    if (stream_) fence_stores();
  }

 private:
  // Out of line: inlined into every tile it would crowd the loops out of the instruction cache.
  __attribute__((noinline)) void write(int64_t row, int64_t first, int count, A factor,
                                       const A* sum) {
    if constexpr (std::is_same_v<A, double>) {
      write_as<double>(row, first, count, factor, sum);
    } else if (args_.out_dtype == DType::kFloat32) {
      write_as<float>(row, first, count, factor, sum);
    } else if (args_.out_dtype == DType::kBFloat16) {
      write_as<BFloat16>(row, first, count, factor, sum);
    } else {
      write_as<Half>(row, first, count, factor, sum);
    }
  }

  template <typename O>
  void write_as(int64_t row, int64_t first, int count, A factor, const A* sum) {
    const O* residual = static_cast<const O*>(args_.residual);
    if (residual != nullptr) residual += row * args_.residual_stride + first;
    O* target = static_cast<O*>(args_.y) + row * args_.width + first;
    const bool drop = args_.dropout_threshold != kKeepAll;
    int16_t keep[DropoutBits::kMost];
    if (drop) bits_.fill(row * args_.width + first, count, keep);
    for (int k = 0; k < count; k += kLanes<A>) {
      const int lanes = count - k < kLanes<A> ? count - k : kLanes<A>;
      vec_t<A> value = load(sum + k) * splat(factor);
      if (bias_ != nullptr) value += load_first(bias_ + first + k, lanes);
      if (args_.relu) value = relu_vec(value);
      if (drop) value = keep_lanes<A>(value * splat(scale_), keep + k);
      if (residual != nullptr) value += load_first(residual + k, lanes);
      store_first(target + k, value, lanes);
    }
  }

  const SpmmArgs& args_;
  const A* bias_;
  const A scale_;
  DropoutBits bits_;
  const bool plain_;   // a scale, a bias and ReLU at most
  const bool stream_;  // y goes past the caches
  const bool bare_;    // the sums themselves, through the caches
};

}  // namespace sgnn::cpu::SGNN_ISA
