// Compiled once per instruction set.
#include "isa.h"
#include "sgnn/dispatch.h"
#include "spmm_rows.h"

namespace sgnn::cpu::SGNN_ISA {

void spmm(const SpmmArgs& args, int64_t begin, int64_t end, int64_t first, int64_t last) {
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    dispatch_index(args.csr.index_type, [&](auto index) {
      SpmmRows<T, typename decltype(index)::type>(args).run(begin, end, first, last);
    });
  });
}

}  // namespace sgnn::cpu::SGNN_ISA
