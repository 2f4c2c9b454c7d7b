// The epilogue of SpMM on a run of columns of one row, for results that need more than a scale, a
// bias and ReLU: dropout, a residual, another element type.
#pragma once

#include <type_traits>

#include "dropout_bits.h"
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
        bits_(args.seed, args.dropout_threshold) {}

  static bool needed(const SpmmArgs& args) {
    return args.residual != nullptr || args.dropout_threshold != kKeepAll ||
           args.out_dtype != args.dtype;
  }

  // Columns [first, first + count) of `row` from the sums of its edges, padded to whole vectors.
  void write(int64_t row, int64_t first, int count, A factor, const A* sum) {
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

 private:
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
};

}  // namespace sgnn::cpu::SGNN_ISA
