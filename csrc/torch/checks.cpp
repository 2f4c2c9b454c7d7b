#include "checks.h"

#include <torch/csrc/stable/ops.h>

#include "sgnn/bitmask.h"

namespace sgnn::binding {

void fail(const std::string& message) { throw std::invalid_argument(message); }

std::string dtype_name(ScalarType type) { return torch::headeronly::toString(type); }

std::string shape_text(const Tensor& tensor) {
  std::string text = "[";
  for (int64_t d = 0; d < tensor.dim(); ++d) {
    text += (d > 0 ? ", " : "") + std::to_string(tensor.size(d));
  }
  return text + "]";
}

DType float_type(const Tensor& tensor, const char* name) {
  return float_type(tensor.scalar_type(), name);
}

DType float_type(ScalarType type, const char* name) {
  switch (type) {
    case ScalarType::Float:
      return DType::kFloat32;
    case ScalarType::Double:
      return DType::kFloat64;
    case ScalarType::Half:
      return DType::kFloat16;
    case ScalarType::BFloat16:
      return DType::kBFloat16;
    default:
      fail(std::string(name) + " must be float32, float64, float16 or bfloat16, got " +
           dtype_name(type) + ".");
  }
}

ScalarType acc_scalar_type(DType dtype) {
  return dtype == DType::kFloat64 ? ScalarType::Double : ScalarType::Float;
}

int64_t acc_size(DType dtype) { return dtype == DType::kFloat64 ? 8 : 4; }

void check_device(const Tensor& tensor, const Tensor& reference, const char* name) {
  const bool same_type = tensor.is_cuda() == reference.is_cuda();
  SGNN_CHECK(same_type && tensor.get_device_index() == reference.get_device_index(),
             std::string(name) + " must be on the device of the graph, got another device.");
}

void check_dim(const Tensor& tensor, int64_t dim, const char* name) {
  SGNN_CHECK(tensor.dim() == dim, std::string(name) + " must have " + std::to_string(dim) +
                                      " dimensions, got shape " + shape_text(tensor) + ".");
}

void check_dtype(const Tensor& tensor, ScalarType expected, const char* name) {
  SGNN_CHECK(tensor.scalar_type() == expected, std::string(name) + " must have dtype " +
                                                   dtype_name(expected) + ", got " +
                                                   dtype_name(tensor.scalar_type()) + ".");
}

void check_vector(const Tensor& tensor, int64_t size, ScalarType expected, const Tensor& reference,
                  const char* name) {
  SGNN_CHECK(tensor.dim() == 1 && tensor.size(0) == size, std::string(name) + " must have shape [" +
                                                              std::to_string(size) + "], got " +
                                                              shape_text(tensor) + ".");
  check_dtype(tensor, expected, name);
  check_device(tensor, reference, name);
  SGNN_CHECK(tensor.is_contiguous(),
             std::string(name) + " must be contiguous, got a strided view.");
}

const void* optional_vector(const OptionalTensor& tensor, int64_t size, DType dtype,
                            const Tensor& reference, const char* name) {
  if (!tensor.has_value()) return nullptr;
  check_vector(*tensor, size, acc_scalar_type(dtype), reference, name);
  return tensor->const_data_ptr();
}

const uint8_t* optional_bits(const OptionalTensor& tensor, int64_t count, const Tensor& reference) {
  if (!tensor.has_value()) return nullptr;
  check_vector(*tensor, packed_bytes(count), ScalarType::Byte, reference, "bits");
  return static_cast<const uint8_t*>(tensor->const_data_ptr());
}

Tensor with_contiguous_rows(const Tensor& tensor) {
  const bool usable = tensor.size(1) <= 1 || tensor.stride(1) == 1;
  return usable ? tensor : torch::stable::contiguous(tensor);
}

}  // namespace sgnn::binding
