// Compiled once per instruction set.
#include "isa.h"
#include "sgnn/dispatch.h"
#include "spmm_rows.h"

namespace sgnn::cpu::SGNN_ISA {
namespace {

template <typename T, typename Index>
void run(const SpmmArgs& args, int64_t begin, int64_t end, int64_t first, int64_t last) {
  const bool plain = args.mask == nullptr && args.bits == nullptr && args.col_scale == nullptr;
  if (plain && args.weight == nullptr) {
    return SpmmRows<T, Index, EdgeValues::kUnit>(args).run(begin, end, first, last);
  }
  if (plain && args.csr.edge_id == nullptr) {
    return SpmmRows<T, Index, EdgeValues::kWeight>(args).run(begin, end, first, last);
  }
  SpmmRows<T, Index, EdgeValues::kGeneral>(args).run(begin, end, first, last);
}

}  // namespace

void spmm(const SpmmArgs& args, int64_t begin, int64_t end, int64_t first, int64_t last) {
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    dispatch_index(args.csr.index_type, [&](auto index) {
      run<T, typename decltype(index)::type>(args, begin, end, first, last);
    });
  });
}

}  // namespace sgnn::cpu::SGNN_ISA
