// Compiled once per instruction set.
#include "sparse_linear_isa.h"

#include "sgnn/dispatch.h"
#include "sparse_linear_grad_panels.h"
#include "sparse_linear_panels.h"

namespace sgnn::cpu::SGNN_ISA {

void sparse_linear(const SparseLinearArgs& args, const void* packed, int64_t begin, int64_t end) {
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const auto weight = view_packed<acc_t<T>>(packed, args.csr.num_rows);
    sparse_linear_panels<T>(args, weight, begin, end);
  });
}

void sparse_linear_grad(const SparseLinearGradArgs& args, const LinearGradPart& part) {
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    dispatch_index(args.csr.index_type, [&](auto index) {
      sparse_linear_grad_panels<T, typename decltype(index)::type>(args, part);
    });
  });
}

}  // namespace sgnn::cpu::SGNN_ISA
