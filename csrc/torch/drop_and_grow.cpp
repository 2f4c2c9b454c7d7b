#include "sgnn/drop_and_grow.h"

#include <torch/csrc/stable/library.h>

#include <memory>
#include <vector>

#include "cuda_stream.h"
#include "parallel.h"
#include "workspace.h"

namespace sgnn::binding {
namespace {

// Owns what the raw pointer tables of DropAndGrowArgs refer to; not to be moved.
struct DropAndGrowCall {
  std::vector<void*> states;
  std::vector<int64_t> state_bytes;
  DropAndGrowArgs args;
};

void check_entries(const Tensor& tensor, const Tensor& weight, const char* name) {
  SGNN_CHECK(tensor.numel() == weight.numel(),
             std::string(name) + " must have the shape of weight, " + shape_text(weight) +
                 ", got " + shape_text(tensor) + ".");
  check_device(tensor, weight, name);
  SGNN_CHECK(tensor.is_contiguous(),
             std::string(name) + " must be contiguous, got a strided view.");
}

const void* scores_of(const OptionalTensor& tensor, const Tensor& weight, const char* name) {
  if (!tensor.has_value()) return nullptr;
  check_entries(*tensor, weight, name);
  check_dtype(*tensor, weight.scalar_type(), name);
  return tensor->const_data_ptr();
}

void prepare(DropAndGrowCall& call, const Tensor& mask, const Tensor& weight,
             const std::vector<Tensor>& state, const OptionalTensor& drop_score,
             const Tensor& grow_score, const OptionalTensor& init, int64_t k, bool magnitude,
             bool regrow) {
  DropAndGrowArgs& args = call.args;
  args.dtype = float_type(weight, "weight");
  args.size = weight.numel();
  check_entries(weight, weight, "weight");
  check_entries(mask, weight, "mask");
  const ScalarType type = mask.scalar_type();
  SGNN_CHECK(type == ScalarType::Bool || type == ScalarType::Byte,
             "mask must be bool or uint8, got " + dtype_name(type) + ".");
  args.mask = static_cast<uint8_t*>(mask.mutable_data_ptr());
  args.weight = weight.mutable_data_ptr();
  args.drop_score = scores_of(drop_score, weight, "drop_score");
  args.grow_score = scores_of(grow_score, weight, "grow_score");
  args.init = scores_of(init, weight, "init");
  for (const Tensor& tensor : state) {
    check_entries(tensor, weight, "state");
    const auto bytes = static_cast<int64_t>(tensor.element_size());
    SGNN_CHECK(bytes <= 8,
               "state must have elements of at most 8 bytes, got " + std::to_string(bytes) + ".");
    call.states.push_back(tensor.mutable_data_ptr());
    call.state_bytes.push_back(bytes);
  }
  args.num_states = static_cast<int64_t>(state.size());
  args.states = call.states.data();
  args.state_bytes = call.state_bytes.data();
  SGNN_CHECK(k >= 0 && k <= args.size, "k must lie in [0, " + std::to_string(args.size) +
                                           "], got " + std::to_string(k) + ".");
  args.k = k;
  args.magnitude = magnitude;
  args.regrow = regrow;
}

void drop_and_grow_on_cpu(Tensor mask, Tensor weight, std::vector<Tensor> state,
                          OptionalTensor drop_score, Tensor grow_score, OptionalTensor init,
                          int64_t k, bool magnitude, bool regrow) {
  DropAndGrowCall call;
  prepare(call, mask, weight, state, drop_score, grow_score, init, k, magnitude, regrow);
  const auto size = static_cast<size_t>(call.args.size);
  const std::unique_ptr<uint8_t[]> kept(new uint8_t[size]);
  const std::unique_ptr<uint8_t[]> grown(new uint8_t[size]);
  drop_and_grow_cpu(call.args, kept.get(), grown.get(), torch_executor());
}

void drop_and_grow_on_cuda(Tensor mask, Tensor weight, std::vector<Tensor> state,
                           OptionalTensor drop_score, Tensor grow_score, OptionalTensor init,
                           int64_t k, bool magnitude, bool regrow) {
  const torch::stable::accelerator::DeviceGuard guard(weight.get_device_index());
  DropAndGrowCall call;
  prepare(call, mask, weight, state, drop_score, grow_score, init, k, magnitude, regrow);
  const Tensor workspace = workspace_like(weight, drop_and_grow_workspace(call.args));
  check_launch(drop_and_grow_cuda(call.args, workspace.mutable_data_ptr(), current_stream(weight)));
}

}  // namespace
}  // namespace sgnn::binding

STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CPU, m) {
  m.impl("drop_and_grow_", TORCH_BOX(&sgnn::binding::drop_and_grow_on_cpu));
}
STABLE_TORCH_LIBRARY_IMPL(sparsegnn, CUDA, m) {
  m.impl("drop_and_grow_", TORCH_BOX(&sgnn::binding::drop_and_grow_on_cuda));
}
