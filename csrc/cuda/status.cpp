// This build contains the CUDA launchers.
#include "sgnn/status.h"

namespace sgnn {

bool cuda_compiled() { return true; }

}  // namespace sgnn
