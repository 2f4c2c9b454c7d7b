// Compiled once per instruction set.
#include "isa.h"
#include "sddmm_rows.h"
#include "sgnn/dispatch.h"

namespace sgnn::cpu::SGNN_ISA {

void sddmm(const SddmmArgs& args, int64_t begin, int64_t end) {
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    dispatch_index(args.csr.index_type, [&](auto index) {
      SddmmRows<T, typename decltype(index)::type>(args).run(begin, end);
    });
  });
}

}  // namespace sgnn::cpu::SGNN_ISA
