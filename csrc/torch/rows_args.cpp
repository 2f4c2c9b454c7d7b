#include "rows_args.h"

namespace sgnn::binding {

ScalarType id_scalar_type(IdType type) {
  switch (type) {
    case IdType::kUint8:
      return ScalarType::Byte;
    case IdType::kInt16:
      return ScalarType::Short;
    case IdType::kInt32:
      return ScalarType::Int;
    default:
      return ScalarType::Long;
  }
}

}  // namespace sgnn::binding
