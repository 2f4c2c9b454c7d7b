// One walk, step by step, for the host and the device.
#pragma once

#include "sgnn/random.h"
#include "sgnn/random_walk.h"

namespace sgnn {

// The first position in [begin, end) whose time is not below `clock` (`strict`: above it).
SGNN_HD int64_t first_allowed(const int64_t* time, int64_t begin, int64_t end, int64_t clock,
                              bool strict) {
  while (begin < end) {
    const int64_t middle = begin + (end - begin) / 2;
    if (time[middle] < clock || (strict && time[middle] == clock)) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

template <typename Index>
class Walk {
 public:
  SGNN_HD Walk(const RandomWalkArgs& args, const CsrView<Index>& csr, int64_t walk)
      : walk_(walk), node_(args.start[walk]) {
    if (node_ < 0 || node_ >= csr.num_rows) node_ = -1;
    args.nodes[walk * (args.length + 1)] = node_;
    if (args.start_time == nullptr) return;
    timed_ = true;
    clock_ = args.start_time[walk];
  }

  // Takes step `step` and writes it down.
  SGNN_HD void advance(const RandomWalkArgs& args, const CsrView<Index>& csr, int64_t step) {
    int64_t edge = -1;
    if (node_ >= 0 && node_ < csr.num_rows) {
      const int64_t end = csr.rowptr[node_ + 1];
      int64_t first = csr.rowptr[node_];
      if (args.time != nullptr && timed_) {
        first = first_allowed(args.time, first, end, clock_, args.strict && step > 0);
      }
      node_ = -1;
      if (first < end) {
        const uint32_t word =
            philox(args.seed, static_cast<uint64_t>(walk_), static_cast<uint64_t>(step)).word[0];
        const int64_t at =
            first + static_cast<int64_t>(bounded(word, static_cast<uint64_t>(end - first)));
        node_ = csr.col[at];
        edge = csr.value_index(at);
        timed_ = true;
        if (args.time != nullptr) clock_ = args.time[at];
      }
    }
    args.nodes[walk_ * (args.length + 1) + step + 1] = node_;
    if (args.edges != nullptr) args.edges[walk_ * args.length + step] = edge;
  }

 private:
  int64_t walk_;
  int64_t node_;  // -1 after the end
  int64_t clock_ = 0;
  bool timed_ = false;  // clock_ binds the next edge
};

}  // namespace sgnn
