// What a launcher returns: null for success, otherwise one sentence with static storage.
#pragma once

namespace sgnn {

using Status = const char*;

// A CUDA stream, opaque so that callers need no CUDA header. Null is the default stream.
using Stream = void*;

// True when the CUDA launchers are compiled in; the stubs of a CPU-only build return false.
bool cuda_compiled();

}  // namespace sgnn
