// Random walks along the edges of a graph, uniform over what may follow or in proportion to edge
// weights, with an optional order in time: the continuous-time walks of Nguyen et al.,
// "Continuous-Time Dynamic Network Embeddings", WWW 2018 companion.
//
// nodes[w, 0] = start[w]; step s takes one of the allowed edges out of nodes[w, s] and writes its
// target to nodes[w, s + 1] and its edge to edges[w, s]. Where no edge is allowed, or the
// node has no row, the walk ends: all that is left is -1. With times an edge is allowed when its
// time is not below that of the edge before it (strict: above it), and for the first edge not below
// start_time[w]. With weights an edge of weight 0 is never taken, and where all that are allowed
// weigh 0 the walk ends.
//
// The choice at step s of walk w is an integer function of word s % 4 of philox(seed, w, s / 4).
// With weights, u in [0, 1) is the upper 53 bits of words 2 (s % 2) + {1, 0} of
// philox(seed, w, s / 2), and the edge is the last one p with weight_sum[p] > u *
// weight_sum[first]. The same walks on every device and any thread count.
#pragma once

#include <cstdint>

#include "sgnn/csr.h"
#include "sgnn/status.h"

namespace sgnn {

struct RandomWalkArgs {
  CsrArg csr;                          // rows are the nodes walked from, columns their targets
  const int64_t* time = nullptr;       // [nnz] per stored position, ascending in a row; null: none
  const double* weight_sum = nullptr;  // [nnz] of walk_weights.h; null: all edges alike
  bool strict = false;
  int64_t num_walks = 0;
  int64_t length = 0;
  uint64_t seed = 0;
  const int64_t* start = nullptr;       // [num_walks]; a node outside the graph gives -1 throughout
  const int64_t* start_time = nullptr;  // [num_walks] or null
  int64_t* nodes = nullptr;             // [num_walks, length + 1]
  int64_t* edges = nullptr;             // [num_walks, length] or null
};

void random_walk_cpu(const RandomWalkArgs& args, int64_t walk_begin, int64_t walk_end);
Status random_walk_cuda(const RandomWalkArgs& args, Stream stream);

}  // namespace sgnn
