#include "sgnn/gcn_hidden.h"

#include <algorithm>
#include <memory>
#include <new>

#include "project_isa.h"
#include "sgnn/dispatch.h"
#include "sgnn/spmm.h"

namespace sgnn {
namespace {

constexpr int64_t kBlockRows = 32;  // aggregated rows that wait in the L1 cache for W2

void project(const cpu::ProjectArgs& args) { SGNN_CALL_ISA(project, args); }

// The rows from `row` on, as a matrix of their own: offsets into `col` stay absolute.
template <typename Index>
CsrArg rows_from(CsrArg csr, int64_t row) {
  csr.rowptr = static_cast<const Index*>(csr.rowptr) + row;
  csr.num_rows -= row;
  return csr;
}

template <typename T, typename Index>
void project_panel(const GcnHiddenArgs& args, int64_t panel, const void* hidden, int64_t begin,
                   int64_t end) {
  using A = acc_t<T>;
  const int64_t width = args.panel;
  const std::unique_ptr<T[]> block(new (std::nothrow) T[kBlockRows * width]);
  if (block == nullptr) throw std::bad_alloc();
  SpmmArgs aggregate;
  aggregate.dtype = args.dtype;
  aggregate.out_dtype = args.dtype;
  aggregate.width = width;
  aggregate.x = hidden;
  aggregate.x_stride = width;
  aggregate.y = block.get();
  aggregate.weight = args.a_value;
  aggregate.bias =
      args.bias != nullptr ? static_cast<const A*>(args.bias) + panel * width : nullptr;
  aggregate.relu = true;
  A* share = static_cast<A*>(args.shares) + panel * args.a.num_rows * args.num_outputs;
  const T* w2 = static_cast<const T*>(args.w2) + panel * width;
  for (int64_t row = begin; row < end; row += kBlockRows) {
    const int64_t rows = std::min(kBlockRows, end - row);
    aggregate.csr = rows_from<Index>(args.a, row);
    spmm_cpu(aggregate, 0, rows);
    project({args.dtype, block.get(), width, w2, args.num_panels * width, rows, width,
             args.num_outputs, share + row * args.num_outputs});
  }
}

}  // namespace

void gcn_hidden_transform_cpu(const GcnHiddenArgs& args, int64_t panel, void* hidden,
                              int64_t row_begin, int64_t row_end) {
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    SpmmArgs transform;
    transform.csr = args.x;
    transform.dtype = args.dtype;
    transform.out_dtype = args.dtype;
    transform.width = args.panel;
    transform.x = static_cast<const T*>(args.w1) + panel * args.x.num_cols * args.panel;
    transform.x_stride = args.panel;
    transform.y = hidden;
    transform.weight = args.x_value;
    transform.row_scale = args.x_row_scale;
    spmm_cpu(transform, row_begin, row_end);
  });
}

void gcn_hidden_project_cpu(const GcnHiddenArgs& args, int64_t panel, const void* hidden,
                            int64_t row_begin, int64_t row_end) {
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    dispatch_index(args.a.index_type, [&](auto index) {
      project_panel<T, typename decltype(index)::type>(args, panel, hidden, row_begin, row_end);
    });
  });
}

void gcn_hidden_sum_cpu(const GcnHiddenArgs& args, int64_t row_begin, int64_t row_end) {
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const auto* shares = static_cast<const acc_t<T>*>(args.shares);
    const int64_t size = args.a.num_rows * args.num_outputs;
    T* z = static_cast<T*>(args.z);
    for (int64_t i = row_begin * args.num_outputs; i < row_end * args.num_outputs; ++i) {
      acc_t<T> sum = shares[i];
      for (int64_t panel = 1; panel < args.num_panels; ++panel) sum += shares[panel * size + i];
      z[i] = from_acc<T>(sum);
    }
  });
}

}  // namespace sgnn
