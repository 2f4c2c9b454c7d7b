// Turns the tensors of sparse rows into the kernels' view of them.
#pragma once

#include "checks.h"
#include "sgnn/sparse_rows.h"

namespace sgnn::binding {

// torch's dtype of the ids. int16 rather than uint16: torch computes with the former everywhere.
ScalarType id_scalar_type(IdType type);

}  // namespace sgnn::binding
