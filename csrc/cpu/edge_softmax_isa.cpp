// Compiled once per instruction set.
#include "edge_softmax_isa.h"

#include "edge_softmax_rows.h"
#include "sgnn/dispatch.h"

namespace sgnn::cpu::SGNN_ISA {
namespace {

// Calls fn(A{}, Index{}) with the types of the arguments.
template <typename Args, typename Fn>
void dispatch(const Args& args, Fn&& fn) {
  dispatch_acc(args.dtype, [&](auto type) {
    dispatch_index(args.csr.index_type, [&](auto index) { fn(type, index); });
  });
}

}  // namespace

void edge_scores(const EdgeScoresArgs& args, int64_t begin, int64_t end) {
  dispatch(args, [&](auto type, auto index) {
    edge_scores_rows<typename decltype(type)::type, typename decltype(index)::type>(args, begin,
                                                                                    end);
  });
}

void edge_sum(const EdgeSumArgs& args, int64_t begin, int64_t end) {
  dispatch(args, [&](auto type, auto index) {
    edge_sum_rows<typename decltype(type)::type, typename decltype(index)::type>(args, begin, end);
  });
}

void edge_softmax(const EdgeSoftmaxArgs& args, int64_t begin, int64_t end) {
  dispatch_acc(args.dtype, [&](auto type) {
    EdgeSoftmaxRows<typename decltype(type)::type>(args).run(begin, end);
  });
}

void edge_softmax_grad(const EdgeSoftmaxGradArgs& args, int64_t begin, int64_t end) {
  dispatch(args, [&](auto type, auto index) {
    edge_softmax_grad_rows<typename decltype(type)::type, typename decltype(index)::type>(
        args, begin, end);
  });
}

}  // namespace sgnn::cpu::SGNN_ISA
