// Compiled once per instruction set.
#include "topk_rows_isa.h"

#include "sgnn/dispatch.h"
#include "topk_rows.h"

namespace sgnn::cpu::SGNN_ISA {

void topk_rows(const TopkRowsArgs& args, void* keys, int64_t begin, int64_t end) {
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    auto* typed = static_cast<row_key_t<acc_t<T>>*>(keys);
    switch (id_type_for(args.width)) {
      case IdType::kUint8:
        return TopkRows<T, uint8_t>(args, typed).run(begin, end);
      case IdType::kInt16:
        return TopkRows<T, int16_t>(args, typed).run(begin, end);
      default:
        return TopkRows<T, int32_t>(args, typed).run(begin, end);
    }
  });
}

}  // namespace sgnn::cpu::SGNN_ISA
