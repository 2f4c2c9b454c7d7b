// Compiled once per instruction set.
#include "spmm_isa.h"

#include "sgnn/dispatch.h"
#include "spmm_rows.h"

namespace sgnn::cpu::SGNN_ISA {

void spmm(const SpmmArgs& args, int64_t begin, int64_t end, int64_t first, int64_t last) {
  dispatch_dtype(args.dtype, [&](auto type) {
    SpmmRows<typename decltype(type)::type>(args).run(begin, end, first, last);
  });
}

}  // namespace sgnn::cpu::SGNN_ISA
