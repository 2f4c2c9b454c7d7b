// Runs a loop body over CSR rows (or plain ranges) on torch's thread pool.
//
// Work is cut into more parts than threads and the threads take the next part when they are free,
// so a part that is slower than its size suggests does not hold the others up. Which thread runs a
// part never changes a result.
#pragma once

#include <torch/csrc/stable/ops.h>

#include <atomic>
#include <vector>

#include "sgnn/csr.h"
#include "sgnn/executor.h"
#include "sgnn/partition.h"

namespace sgnn::binding {

constexpr int64_t kPartsPerThread = 16;
constexpr int64_t kSerialWork = 1 << 15;  // multiply-adds under which a second thread does not pay

// Calls body(part) for every part in [0, num_parts), each exactly once.
template <typename Body>
void for_each_part(int64_t num_parts, int64_t threads, const Body& body) {
  std::atomic<int64_t> next{0};
  torch::stable::parallel_for(0, threads, 1, [&](int64_t, int64_t) {
    for (int64_t part = next++; part < num_parts; part = next++) body(part);
  });
}

// torch's thread pool, for kernels of several phases.
inline Executor torch_executor() {
  const int64_t threads = torch::stable::get_num_threads();
  if (threads == 1) return serial_executor();
  return {threads,
          [threads](int64_t parts, const PartBody& body) { for_each_part(parts, threads, body); }};
}

// As for_each_part, but every thread starts with a contiguous share of the parts and helps the
// others after it: what one thread writes lies side by side, except near the end.
template <typename Body>
void for_each_part_in_shares(int64_t num_parts, int64_t threads, const Body& body) {
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
  };
  std::vector<Share> shares(threads);
  for (int64_t t = 0; t < threads; ++t) shares[t].next = num_parts * t / threads;
  torch::stable::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * threads; i < end * threads; ++i) {
      const int64_t share = (i / threads + i) % threads;
      const int64_t stop = num_parts * (share + 1) / threads;
      auto& next = shares[share].next;
      for (int64_t part = next++; part < stop; part = next++) body(part);
    }
  });
}

inline int64_t row_of_part(const CsrArg& csr, int64_t parts, int64_t part) {
  if (csr.index_type == IndexType::kInt32) {
    return partition_row(view_csr<int32_t>(csr).rowptr, csr.num_rows, parts, part);
  }
  return partition_row(view_csr<int64_t>(csr).rowptr, csr.num_rows, parts, part);
}

// Calls body(row_begin, row_end) over parts of equal work; one non-zero costs `work_per_nonzero`.
template <typename Body>
void for_each_row_range(const CsrArg& csr, int64_t work_per_nonzero, const Body& body) {
  if (csr.num_rows == 0) return;
  const int64_t threads = torch::stable::get_num_threads();
  const int64_t work = (csr.nnz + csr.num_rows) * work_per_nonzero;
  if (threads == 1 || work < kSerialWork) return body(0, csr.num_rows);
  const int64_t parts = threads * kPartsPerThread;
  for_each_part(parts, threads, [&](int64_t part) {
    const int64_t begin = row_of_part(csr, parts, part);
    const int64_t end = row_of_part(csr, parts, part + 1);
    if (begin < end) body(begin, end);
  });
}

// Where part `part` of `parts` begins when [0, count) is cut at multiples of `block`.
inline int64_t block_bound(int64_t count, int64_t block, int64_t parts, int64_t part) {
  const int64_t blocks = (count + block - 1) / block;
  const int64_t bound = blocks * part / parts * block;
  return bound < count ? bound : count;
}

// Calls body(begin, end) over blocks of [0, count) whose bounds are multiples of `block`.
template <typename Body>
void for_each_block(int64_t count, int64_t block, int64_t work_per_item, const Body& body) {
  if (count == 0) return;
  const int64_t threads = torch::stable::get_num_threads();
  if (threads == 1 || count * work_per_item < kSerialWork) return body(0, count);
  const int64_t blocks = (count + block - 1) / block;
  const int64_t wanted = threads * kPartsPerThread;
  const int64_t parts = blocks < wanted ? blocks : wanted;
  for_each_part_in_shares(parts, threads, [&](int64_t part) {
    body(block_bound(count, block, parts, part), block_bound(count, block, parts, part + 1));
  });
}

}  // namespace sgnn::binding
