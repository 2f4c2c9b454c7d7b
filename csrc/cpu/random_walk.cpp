#include "sgnn/random_walk.h"

#include <algorithm>
#include <vector>

#include "sgnn/dispatch.h"
#include "sgnn/walk_step.h"

namespace sgnn {
namespace {

// Walks that advance together: while one waits for memory, the others go on.
constexpr int64_t kTogether = 64;

template <typename V>
__attribute__((always_inline)) inline void fetch(const V* base, int64_t place) {
  if (base != nullptr && place >= 0) __builtin_prefetch(base + place);
}

// Searches of all walks in turns, one comparison each.
template <typename Index>
void find_edges(std::vector<Walk<Index>>& walks, const double* weight_sum) {
  Walk<Index>* searching[kTogether];
  int64_t count = 0;
  for (Walk<Index>& walk : walks) searching[count++] = &walk;
  while (count > 0) {
    int64_t left = 0;
    for (int64_t i = 0; i < count; ++i) {
      Walk<Index>* walk = searching[i];
      searching[left] = walk;
      left += walk->narrow(weight_sum) ? 1 : 0;
      fetch(weight_sum, walk->middle());
    }
    count = left;
  }
}

template <typename Index>
void run(const RandomWalkArgs& args, int64_t begin, int64_t end) {
  const CsrView<Index> csr = view_csr<Index>(args.csr);
  std::vector<Walk<Index>> walks;
  walks.reserve(kTogether);
  for (int64_t first = begin; first < end; first += kTogether) {
    walks.clear();
    for (int64_t w = first; w < std::min(end, first + kTogether); ++w) {
      walks.emplace_back(args, csr, w);
      fetch(csr.rowptr, walks.back().node());
    }
    for (int64_t step = 0; step < args.length; ++step) {
      for (Walk<Index>& walk : walks) {
        walk.locate(csr);
        fetch(args.time, walk.first());
        fetch(args.weight_sum, walk.first());
      }
      for (Walk<Index>& walk : walks) {
        walk.choose(args, step);
        if (args.weight_sum != nullptr) fetch(args.weight_sum, walk.middle());
      }
      if (args.weight_sum != nullptr) find_edges(walks, args.weight_sum);
      for (Walk<Index>& walk : walks) {
        fetch(csr.col, walk.position());
        fetch(args.time, walk.position());
        if (args.edges != nullptr) fetch(csr.edge_id, walk.position());
      }
      for (Walk<Index>& walk : walks) {
        walk.follow(args, csr, step);
        fetch(csr.rowptr, walk.node());
      }
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
