// Compiled once per instruction set.
#include "sddmm_isa.h"

#include "sddmm_rows.h"
#include "sgnn/dispatch.h"

namespace sgnn::cpu::SGNN_ISA {

void sddmm(const SddmmArgs& args, int64_t begin, int64_t end) {
  dispatch_dtype(args.dtype, [&](auto type) {
    SddmmRows<typename decltype(type)::type>(args).run(begin, end);
  });
}

}  // namespace sgnn::cpu::SGNN_ISA
