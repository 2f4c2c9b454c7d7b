#include "sgnn/topk_rows.h"

#include <vector>

#include "topk_rows_isa.h"

namespace sgnn {
namespace {

void run(const TopkRowsArgs& args, void* keys, int64_t begin, int64_t end) {
  SGNN_CALL_ISA(topk_rows, args, keys, begin, end);
}

}  // namespace

void topk_rows_cpu(const TopkRowsArgs& args, int64_t begin, int64_t end) {
  constexpr int64_t kWord = 64;  // keys are compared in words of this many
  std::vector<int64_t> keys(static_cast<size_t>((args.width + kWord - 1) / kWord * kWord));
  run(args, keys.data(), begin, end);
}

}  // namespace sgnn
