#include "cuda_stream.h"

#include <torch/csrc/inductor/aoti_torch/c/shim.h>

// Weak: a CPU build of torch does not define it, and the library must load there too.
extern "C" __attribute__((weak)) AOTITorchError
aoti_torch_get_current_cuda_stream(int32_t device_index, void** ret_stream);

namespace sgnn::binding {

bool stream_symbol_resolved() { return &aoti_torch_get_current_cuda_stream != nullptr; }

Stream current_stream(const Tensor& tensor) {
  SGNN_CHECK(stream_symbol_resolved(),
             "the CUDA stream of torch is not available: this torch was built without CUDA.");
  void* stream = nullptr;
  STABLE_TORCH_ERROR_CODE_CHECK(
      aoti_torch_get_current_cuda_stream(tensor.get_device_index(), &stream));
  return stream;
}

void check_launch(Status status) {
  if (status != nullptr) throw std::runtime_error(status);
}

}  // namespace sgnn::binding
