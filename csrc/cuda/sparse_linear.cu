// Sparse-weight linear layers as SpMM and SDDMM over transposed activations: with samples along the
// rows' contiguous axis, one weight is one coefficient for a whole 16-byte load.
//
// Transposed copies are [features, P], P = samples rounded up to 16 bytes and the padding zero, so
// the aligned kernels always apply.
#include "sgnn/dispatch.h"
#include "sgnn/sddmm.h"
#include "sgnn/sparse_linear.h"
#include "spmm_launch.h"
#include "transpose.cuh"

namespace sgnn {
namespace {

int64_t padded_samples(int64_t num_samples, DType dtype) {
  const int64_t items = 16 / element_bytes(dtype);
  return ceil_div(num_samples, items) * items;
}

int64_t transposed_bytes(int64_t features, int64_t num_samples, DType dtype) {
  return features * padded_samples(num_samples, dtype) * element_bytes(dtype);
}

template <typename Bits>
Status transpose_bits(const void* in, int64_t rows, int64_t cols, int64_t in_stride, void* out,
                      int64_t padded_rows, Stream stream) {
  const TransposeParams<Bits> params = {static_cast<const Bits*>(in), in_stride,   rows,       cols,
                                        static_cast<Bits*>(out),      padded_rows, padded_rows};
  return launch_transpose(params, stream);
}

// out [cols, padded_rows] = in [rows, cols] transposed, rows of `in` being in_stride apart.
Status transpose(DType dtype, const void* in, int64_t rows, int64_t cols, int64_t in_stride,
                 void* out, int64_t padded_rows, Stream stream) {
  switch (element_bytes(dtype)) {
    case 8:
      return transpose_bits<uint64_t>(in, rows, cols, in_stride, out, padded_rows, stream);
    case 4:
      return transpose_bits<uint32_t>(in, rows, cols, in_stride, out, padded_rows, stream);
    default:
      return transpose_bits<uint16_t>(in, rows, cols, in_stride, out, padded_rows, stream);
  }
}

}  // namespace

int64_t sparse_linear_workspace(const SparseLinearArgs& args) {
  return transposed_bytes(args.csr.num_cols + args.csr.num_rows, args.num_samples, args.dtype);
}

int64_t sparse_linear_grad_workspace(const SparseLinearGradArgs& args) {
  return transposed_bytes(args.csr.num_cols + args.csr.num_rows, args.num_samples, args.dtype);
}

Status sparse_linear_cuda(const SparseLinearArgs& args, void* workspace, Stream stream) {
  const int64_t inputs = args.csr.num_cols;
  const int64_t outputs = args.csr.num_rows;
  if (args.num_samples == 0 || outputs == 0) return nullptr;
  const int64_t padded = padded_samples(args.num_samples, args.dtype);
  void* x = workspace;  // [K, P]
  void* y = static_cast<char*>(workspace) + transposed_bytes(inputs, args.num_samples, args.dtype);
  Status status =
      transpose(args.dtype, args.x, args.num_samples, inputs, inputs, x, padded, stream);
  if (status != nullptr) return status;
  SpmmArgs product;
  product.csr = args.csr;
  product.dtype = args.dtype;
  product.out_dtype = args.dtype;
  product.width = padded;
  product.x = x;
  product.x_stride = padded;
  product.y = y;  // [O, P]
  product.weight = args.values;
  status = launch_spmm(product, args.bias, nullptr, stream);
  if (status != nullptr) return status;
  return transpose(args.dtype, y, outputs, args.num_samples, padded, args.y, outputs, stream);
}

Status sparse_linear_grad_cuda(const SparseLinearGradArgs& args, void* workspace, Stream stream) {
  const int64_t inputs = args.csr.num_cols;
  const int64_t outputs = args.csr.num_rows;
  if (args.csr.nnz == 0) return nullptr;
  const int64_t padded = padded_samples(args.num_samples, args.dtype);
  void* g = workspace;  // [O, P]
  void* x = static_cast<char*>(workspace) + transposed_bytes(outputs, args.num_samples, args.dtype);
  Status status =
      transpose(args.dtype, args.g, args.num_samples, outputs, outputs, g, padded, stream);
  if (status != nullptr) return status;
  status = transpose(args.dtype, args.x, args.num_samples, inputs, inputs, x, padded, stream);
  if (status != nullptr) return status;
  SddmmArgs product;
  product.csr = args.csr;
  product.dtype = args.dtype;
  product.width = padded;
  product.a = g;
  product.a_stride = padded;
  product.b = x;  // [K, P]
  product.b_stride = padded;
  product.out = args.out;
  return sddmm_cuda(product, stream);
}

}  // namespace sgnn
