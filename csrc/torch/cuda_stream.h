// The bridge to torch's CUDA streams that does not make a CUDA torch necessary.
#pragma once

#include "checks.h"
#include "sgnn/status.h"

namespace sgnn::binding {

// True when this torch exports the symbol that hands out its current CUDA stream.
bool stream_symbol_resolved();

// torch's current stream on the device of `tensor`; an error when torch was built without CUDA.
Stream current_stream(const Tensor& tensor);

// Throws when a launcher reported a failure.
void check_launch(Status status);

}  // namespace sgnn::binding
