#include "coo.h"

#include <algorithm>
#include <numeric>

namespace sgnn::host {
namespace {

// Offsets of each key's block in the sorted order: offsets[k] .. offsets[k + 1].
std::vector<int64_t> count_offsets(const int64_t* key, int64_t count, int64_t num_keys) {
  std::vector<int64_t> offsets(static_cast<size_t>(num_keys) + 1, 0);
  for (int64_t i = 0; i < count; ++i) ++offsets[static_cast<size_t>(key[i]) + 1];
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  return offsets;
}

// Stable counting sort of `order` by key[order[i]].
std::vector<int64_t> sort_by(const int64_t* key, const std::vector<int64_t>& order,
                             std::vector<int64_t> offsets) {
  std::vector<int64_t> sorted(order.size());
  for (const int64_t edge : order) {
    sorted[static_cast<size_t>(offsets[static_cast<size_t>(key[edge])]++)] = edge;
  }
  return sorted;
}

bool is_sorted_coo(const int64_t* row, const int64_t* col, int64_t count) {
  for (int64_t i = 1; i < count; ++i) {
    if (row[i - 1] > row[i] || (row[i - 1] == row[i] && col[i - 1] > col[i])) return false;
  }
  return true;
}

}  // namespace

int64_t find_out_of_range(const int64_t* index, int64_t count, int64_t bound) {
  for (int64_t i = 0; i < count; ++i) {
    if (index[i] < 0 || index[i] >= bound) return i;
  }
  return -1;
}

SortedCoo sort_coo(const int64_t* row, const int64_t* col, int64_t count, int64_t num_rows,
                   int64_t num_cols) {
  SortedCoo out;
  out.rowptr = count_offsets(row, count, num_rows);
  out.order.resize(static_cast<size_t>(count));
  std::iota(out.order.begin(), out.order.end(), int64_t{0});
  out.identity = is_sorted_coo(row, col, count);
  if (out.identity) return out;
  const std::vector<int64_t> by_col = sort_by(col, out.order, count_offsets(col, count, num_cols));
  out.order = sort_by(row, by_col, out.rowptr);
  return out;
}

int64_t pair_edges(const int64_t* row, const int64_t* col, int64_t count, int64_t n,
                   int64_t* pair_id) {
  std::vector<int64_t> low(static_cast<size_t>(count));
  std::vector<int64_t> high(static_cast<size_t>(count));
  for (size_t i = 0; i < low.size(); ++i) {
    low[i] = std::min(row[i], col[i]);
    high[i] = std::max(row[i], col[i]);
  }
  const SortedCoo sorted = sort_coo(low.data(), high.data(), count, n, n);
  int64_t pairs = 0;
  for (size_t i = 0; i < sorted.order.size(); ++i) {
    const auto edge = static_cast<size_t>(sorted.order[i]);
    if (i > 0) {
      const auto previous = static_cast<size_t>(sorted.order[i - 1]);
      if (low[previous] != low[edge] || high[previous] != high[edge]) ++pairs;
    }
    pair_id[edge] = pairs;
  }
  return count == 0 ? 0 : pairs + 1;
}

}  // namespace sgnn::host
