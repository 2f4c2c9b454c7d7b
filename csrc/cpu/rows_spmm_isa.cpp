// Compiled once per instruction set.
#include "rows_spmm_isa.h"

#include "rows_spmm.h"
#include "rows_spmm_values.h"
#include "sgnn/dispatch.h"

namespace sgnn::cpu::SGNN_ISA {
namespace {

template <typename Fn>
void dispatch(const RowsSpmmArgs& args, Fn&& fn) {
  dispatch_dtype(args.dtype,
                 [&](auto type) { dispatch_ids(args.x.id_type, [&](auto id) { fn(type, id); }); });
}

}  // namespace

void rows_spmm(const RowsSpmmArgs& args, int64_t begin, int64_t end) {
  dispatch(args, [&](auto type, auto id) {
    RowsSpmm<typename decltype(type)::type, typename decltype(id)::type>(args).multiply(begin, end);
  });
}

void rows_spmm_edges(const RowsSpmmArgs& args, int64_t begin, int64_t end) {
  dispatch(args, [&](auto type, auto id) {
    RowsSpmm<typename decltype(type)::type, typename decltype(id)::type>(args).differentiate(begin,
                                                                                             end);
  });
}

void rows_spmm_values(const RowsSpmmArgs& args, int64_t begin, int64_t end) {
  dispatch(args, [&](auto type, auto id) {
    RowsSpmmValues<typename decltype(type)::type, typename decltype(id)::type>(args).run(begin,
                                                                                         end);
  });
}

}  // namespace sgnn::cpu::SGNN_ISA
