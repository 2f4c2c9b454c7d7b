// One walk, step by step, for the host and the device.
#pragma once

#include "sgnn/random.h"
#include "sgnn/random_walk.h"
#include "sgnn/walk_weights.h"

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

// A step in parts, so that many walks can take them in turns and none waits for its own loads:
// locate() reads where the edges of the node stand, choose() picks one or, with weights, a level
// that narrow() finds the edge of, and follow() takes the edge.
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

  SGNN_HD void locate(const CsrView<Index>& csr) {
    at_ = -1;
    first_ = end_ = 0;
    if (node_ < 0 || node_ >= csr.num_rows) return;
    first_ = csr.rowptr[node_];
    end_ = csr.rowptr[node_ + 1];
  }

  SGNN_HD void choose(const RandomWalkArgs& args, int64_t step) {
    if (args.time != nullptr && timed_) {
      first_ = first_allowed(args.time, first_, end_, clock_, args.strict && step > 0);
    }
    if (first_ >= end_) return;
    if (args.weight_sum != nullptr) return choose_level(args, step);
    const auto count = static_cast<uint64_t>(end_ - first_);
    at_ = first_ + static_cast<int64_t>(bounded(word(args.seed, step), count));
  }

  // Halves the edges among which is the last one whose sum is above the level, and takes that one
  // when few are left. Returns whether it has yet to be found; sum[middle()] is compared next.
  SGNN_HD bool narrow(const double* sum) {
    if (end_ - first_ > kFew) {
      const int64_t at = middle();
      const bool above = sum[at] > level_;
      first_ = above ? at : first_;
      end_ = above ? end_ : at;
      return true;
    }
    if (first_ == end_) return false;
    at_ = first_;
    for (int64_t at = first_ + 1; at < end_; ++at) at_ += sum[at] > level_ ? 1 : 0;
    return false;
  }

  // Writes the step down.
  SGNN_HD void follow(const RandomWalkArgs& args, const CsrView<Index>& csr, int64_t step) {
    node_ = at_ < 0 ? -1 : static_cast<int64_t>(csr.col[at_]);
    args.nodes[walk_ * (args.length + 1) + step + 1] = node_;
    if (args.edges != nullptr) {
      args.edges[walk_ * args.length + step] = at_ < 0 ? -1 : csr.value_index(at_);
    }
    if (args.time == nullptr || at_ < 0) return;
    timed_ = true;
    clock_ = args.time[at_];
  }

  SGNN_HD int64_t node() const { return node_; }
  SGNN_HD int64_t first() const { return first_; }
  SGNN_HD int64_t middle() const { return first_ + (end_ - first_) / 2; }
  SGNN_HD int64_t position() const { return at_; }

 private:
  // No edge is left where none has a weight or one has none that is allowed. No product is added to
  // anything, so no compiler fuses the two on one device only.
  SGNN_HD void choose_level(const RandomWalkArgs& args, int64_t step) {
    const double total = args.weight_sum[first_];
    if (!(total > 0.0 && total <= kLargestSum)) {
      end_ = first_;
      return;
    }
    level_ = unit(args.seed, step) * total;
    if (level_ >= total) level_ = 0.0;  // a subnormal product may round up to the total
  }

  // In [0, 1), a multiple of 2^-53.
  SGNN_HD double unit(uint64_t seed, int64_t step) {
    if (step % 2 == 0) {
      random_ = philox(seed, static_cast<uint64_t>(walk_), static_cast<uint64_t>(step / 2));
    }
    const bool odd = (step & 1) != 0;
    const uint64_t low = odd ? random_.word[2] : random_.word[0];
    const uint64_t high = odd ? random_.word[3] : random_.word[1];
    return static_cast<double>((high << 32 | low) >> 11) * (1.0 / 9007199254740992.0);
  }

  // A walk that takes a step has taken all before it, so the words of four steps are at hand.
  SGNN_HD uint32_t word(uint64_t seed, int64_t step) {
    if (step % 4 == 0) {
      random_ = philox(seed, static_cast<uint64_t>(walk_), static_cast<uint64_t>(step / 4));
    }
    const uint32_t* words = random_.word;
    const uint32_t low = (step & 1) != 0 ? words[1] : words[0];
    const uint32_t high = (step & 1) != 0 ? words[3] : words[2];
    return (step & 2) != 0 ? high : low;
  }

  static constexpr int64_t kFew = 8;  // edges that are compared one by one

  int64_t walk_;
  int64_t node_;       // -1 after the end
  int64_t first_ = 0;  // the edges of the node, then those that may follow: [first_, end_)
  int64_t end_ = 0;
  int64_t at_ = -1;  // position of the edge chosen, -1 for none
  int64_t clock_ = 0;
  double level_ = 0.0;
  Philox4 random_ = {};
  bool timed_ = false;  // clock_ binds the next edge
};

}  // namespace sgnn
