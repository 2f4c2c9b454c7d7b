// Edge lists on the host: validation, stable sorting into CSR, undirected pairing. No torch, no
// Python.
#pragma once

#include <cstdint>
#include <vector>

namespace sgnn::host {

// Result of sorting an edge list by (row, col); equal edges keep their order.
struct SortedCoo {
  std::vector<int64_t> rowptr;  // [num_rows + 1]
  std::vector<int64_t> order;   // [E] sorted position -> edge
  bool identity = true;         // the list was sorted already
};

// Position of the first edge with an index outside [0, bound), or -1.
int64_t find_out_of_range(const int64_t* index, int64_t count, int64_t bound);

// Requires every row in [0, num_rows) and every column in [0, num_cols). O(E + rows + cols).
SortedCoo sort_coo(const int64_t* row, const int64_t* col, int64_t count, int64_t num_rows,
                   int64_t num_cols);

// Numbers the unordered pairs {row, col} in ascending order of (smaller, larger) end: every edge
// gets the id of its pair, parallel edges share it. Returns the number of pairs. Indices lie in [0,
// n).
int64_t pair_edges(const int64_t* row, const int64_t* col, int64_t count, int64_t n,
                   int64_t* pair_id);

}  // namespace sgnn::host
