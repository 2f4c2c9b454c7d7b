// Argument checks of the bindings: one sentence naming the argument, what was expected and what
// came.
#pragma once

#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "sgnn/types.h"

namespace sgnn::binding {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using OptionalTensor = std::optional<Tensor>;

[[noreturn]] void fail(const std::string& message);

// Fails with the message, whose text is made only then: shapes and numbers cost more than the
// check.
#define SGNN_CHECK(condition, message)                \
  do {                                                \
    if (!(condition)) ::sgnn::binding::fail(message); \
  } while (false)

std::string dtype_name(ScalarType type);
std::string shape_text(const Tensor& tensor);

// The storage type of a floating tensor; an error for every other dtype.
DType float_type(const Tensor& tensor, const char* name);
DType float_type(ScalarType type, const char* name);

// torch's dtype of acc_t<T>.
ScalarType acc_scalar_type(DType dtype);
int64_t acc_size(DType dtype);

void check_device(const Tensor& tensor, const Tensor& reference, const char* name);
void check_dim(const Tensor& tensor, int64_t dim, const char* name);
void check_dtype(const Tensor& tensor, ScalarType expected, const char* name);

// A contiguous vector of `size` elements of type `expected` on the device of `reference`.
void check_vector(const Tensor& tensor, int64_t size, ScalarType expected, const Tensor& reference,
                  const char* name);

// The data of an optional vector of accumulators, null when absent.
const void* optional_vector(const OptionalTensor& tensor, int64_t size, DType dtype,
                            const Tensor& reference, const char* name);

// Packed bits for `count` edges, null when absent.
const uint8_t* optional_bits(const OptionalTensor& tensor, int64_t count, const Tensor& reference);

// `tensor` [rows, width] with unit stride along the columns; copies only when it has to.
Tensor with_contiguous_rows(const Tensor& tensor);

}  // namespace sgnn::binding
