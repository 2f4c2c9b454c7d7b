#include "sgnn/walk_weights.h"

#include "sgnn/dispatch.h"

namespace sgnn {

void walk_weights_cpu(const WalkWeightsArgs& args, int64_t row_begin, int64_t row_end) {
  dispatch_index(args.csr.index_type, [&](auto index) {
    const auto csr = view_csr<typename decltype(index)::type>(args.csr);
    for (int64_t row = row_begin; row < row_end; ++row) {
      double sum = 0.0;
      for (int64_t at = csr.rowptr[row + 1]; at-- > csr.rowptr[row];) {
        sum += checked_weight(args.weight[csr.value_index(at)]);
        args.sum[at] = sum;
      }
    }
  });
}

}  // namespace sgnn
