#include "sgnn/random_walk.h"

#include <algorithm>
#include <vector>

#include "sgnn/dispatch.h"
#include "sgnn/walk_step.h"

namespace sgnn {
namespace {

// Walks that advance together: the cache misses of one are hidden behind those of the others.
constexpr int64_t kTogether = 32;

template <typename Index>
void run(const RandomWalkArgs& args, int64_t begin, int64_t end) {
  const CsrView<Index> csr = view_csr<Index>(args.csr);
  std::vector<Walk<Index>> walks;
  walks.reserve(kTogether);
  for (int64_t first = begin; first < end; first += kTogether) {
    walks.clear();
    for (int64_t w = first; w < std::min(end, first + kTogether); ++w) {
      walks.emplace_back(args, csr, w);
    }
    for (int64_t step = 0; step < args.length; ++step) {
      for (Walk<Index>& walk : walks) walk.advance(args, csr, step);
    }
  }
}

}  // namespace

void random_walk_cpu(const RandomWalkArgs& args, int64_t walk_begin, int64_t walk_end) {
  dispatch_index(args.csr.index_type, [&](auto index) {
    run<typename decltype(index)::type>(args, walk_begin, walk_end);
  });
}

}  // namespace sgnn
