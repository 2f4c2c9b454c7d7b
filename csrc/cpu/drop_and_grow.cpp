#include "sgnn/drop_and_grow.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "selection.h"

namespace sgnn {
namespace {

constexpr int64_t kChunk = 4096;  // entries of one part's inner loop
constexpr int64_t kPart = 16 * kChunk;

// Calls body(begin, end) over the entries, in parallel.
template <typename Body>
void for_each_range(int64_t size, const Executor& executor, const Body& body) {
  if (size <= kPart) return body(0, size);
  executor.run((size + kPart - 1) / kPart,
               [&](int64_t part) { body(part * kPart, std::min(size, (part + 1) * kPart)); });
}

int64_t count_active(const DropAndGrowArgs& args, const Executor& executor) {
  std::atomic<int64_t> total{0};
  for_each_range(args.size, executor, [&](int64_t begin, int64_t end) {
    total += std::count_if(args.mask + begin, args.mask + end, [](uint8_t m) { return m != 0; });
  });
  return total;
}

cpu::SelectTensor ranked(const DropAndGrowArgs& args, const void* scores, bool magnitude,
                         const uint8_t* mask, bool mask_value, uint8_t* keep) {
  return {{args.dtype, scores, magnitude, mask, mask_value}, args.size, keep};
}

template <typename Word>
void clear_entries(void* data, const std::vector<int64_t>& entries) {
  for (const int64_t i : entries) static_cast<Word*>(data)[i] = 0;
}

void clear_entries(void* data, int64_t bytes, const std::vector<int64_t>& entries) {
  if (bytes == 1) return clear_entries<uint8_t>(data, entries);
  if (bytes == 2) return clear_entries<uint16_t>(data, entries);
  if (bytes == 4) return clear_entries<uint32_t>(data, entries);
  clear_entries<uint64_t>(data, entries);
}

template <typename Word>
void set_entries(void* data, const void* from, const std::vector<int64_t>& entries) {
  for (const int64_t i : entries) static_cast<Word*>(data)[i] = static_cast<const Word*>(from)[i];
}

void set_entries(void* data, const void* from, int64_t bytes, const std::vector<int64_t>& entries) {
  if (bytes == 2) return set_entries<uint16_t>(data, from, entries);
  if (bytes == 4) return set_entries<uint32_t>(data, from, entries);
  set_entries<uint64_t>(data, from, entries);
}

// Makes kept | grown the mask of the entries [begin, end).
void apply(const DropAndGrowArgs& args, const uint8_t* kept, const uint8_t* grown, int64_t begin,
           int64_t end) {
  std::vector<int64_t> changed;
  std::vector<int64_t> started;
  for (int64_t first = begin; first < end; first += kChunk) {
    const int64_t last = std::min(end, first + kChunk);
    changed.clear();
    started.clear();
    for (int64_t i = first; i < last; ++i) {
      const uint8_t now = kept[i] | grown[i];
      if ((args.mask[i] != 0) == (now != 0)) continue;
      args.mask[i] = now;
      changed.push_back(i);
      if (now != 0) started.push_back(i);
    }
    const int64_t bytes = element_bytes(args.dtype);
    clear_entries(args.weight, bytes, changed);
    if (args.init != nullptr) set_entries(args.weight, args.init, bytes, started);
    for (int64_t s = 0; s < args.num_states; ++s) {
      clear_entries(args.states[s], args.state_bytes[s], changed);
    }
  }
}

}  // namespace

void drop_and_grow_cpu(const DropAndGrowArgs& args, uint8_t* kept, uint8_t* grown,
                       const Executor& executor) {
  const int64_t active = count_active(args, executor);
  const int64_t k = std::min({args.k, active, args.regrow ? active : args.size - active});
  if (k == 0) return;
  const bool own = args.drop_score == nullptr;
  cpu::select_largest({ranked(args, own ? args.weight : args.drop_score, own || args.magnitude,
                              args.mask, true, kept)},
                      active - k, executor);
  cpu::select_largest(
      {ranked(args, args.grow_score, args.magnitude, args.regrow ? kept : args.mask, false, grown)},
      k, executor);
  for_each_range(args.size, executor,
                 [&](int64_t begin, int64_t end) { apply(args, kept, grown, begin, end); });
}

}  // namespace sgnn
