#include "sgnn/transpose.h"

#include <algorithm>

namespace sgnn {
namespace {

constexpr int64_t kTile = 32;

// A tile through a buffer: whole lines of x are read and whole lines of y written, whatever the
// distance of their rows is.
template <typename Word>
void copy_tile(const Word* x, Word* y, const TransposeArgs& args, int64_t rows, int64_t cols) {
  Word tile[kTile][kTile + 1];
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) tile[r][c] = x[r * args.cols + c];
  }
  for (int64_t c = 0; c < cols; ++c) {
    for (int64_t r = 0; r < rows; ++r) y[c * args.rows + r] = tile[r][c];
  }
}

template <typename Word>
void run(const TransposeArgs& args, int64_t begin, int64_t end) {
  const Word* x = static_cast<const Word*>(args.x);
  Word* y = static_cast<Word*>(args.y);
  for (int64_t c = begin; c < end; c += kTile) {
    for (int64_t r = 0; r < args.rows; r += kTile) {
      copy_tile(x + r * args.cols + c, y + c * args.rows + r, args, std::min(kTile, args.rows - r),
                std::min(kTile, end - c));
    }
  }
}

}  // namespace

void transpose_cpu(const TransposeArgs& args, int64_t begin, int64_t end) {
  if (args.element_bytes == 8) return run<uint64_t>(args, begin, end);
  if (args.element_bytes == 4) return run<uint32_t>(args, begin, end);
  run<uint16_t>(args, begin, end);
}

}  // namespace sgnn
