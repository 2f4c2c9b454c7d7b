// Launches of the in-place mask update.
#include "drop_and_grow.cuh"
#include "sgnn/dispatch.h"
#include "sgnn/drop_and_grow.h"
#include "topk_launch.cuh"

namespace sgnn {
namespace {

constexpr int64_t kMaxBlocks = 4096;

// The workspace: the counts, one byte per entry twice, then that of a selection.
struct Places {
  Places(void* memory, int64_t size) {
    char* base = static_cast<char*>(memory);
    counts = reinterpret_cast<DropAndGrowCounts*>(base);
    kept = reinterpret_cast<uint8_t*>(base + round_up(sizeof(DropAndGrowCounts)));
    grown = kept + round_up(size);
    selection = grown + round_up(size);
  }
  static int64_t bytes(int64_t size) {
    return round_up(sizeof(DropAndGrowCounts)) + 2 * round_up(size);
  }

  DropAndGrowCounts* counts;
  uint8_t* kept;
  uint8_t* grown;
  void* selection;
};

template <typename T>
void rank(const void* scores, bool magnitude, const uint8_t* mask, bool mask_value, int64_t size,
          const TopkWorkspace<ordered_key_t<T>>& work, unsigned long long* taking_part,
          Stream stream) {
  using Key = ordered_key_t<T>;
  const auto begin = topk_begin_kernel<Key>;
  SGNN_LAUNCH(begin, dim3(1), dim3(kTopkThreads), 0, stream, work.state, int64_t{0});
  const auto keys = drop_grow_keys_kernel<T>;
  SGNN_LAUNCH(keys, dim3(histogram_blocks(size)), dim3(kTopkThreads), 0, stream,
              static_cast<const T*>(scores), magnitude, mask, mask_value, size, work.keys,
              work.state, digit_of_pass<Key>(0), taking_part);
}

template <typename Key>
void select(const TopkWorkspace<Key>& work, int64_t size, uint8_t* keep, Stream stream) {
  find_threshold<Key>(work, size, stream);
  rank_ties<Key>(work, size, stream);
  write_mask<Key>(work, 0, size, keep, stream);
}

unsigned entry_blocks(int64_t size) {
  const int64_t blocks = ceil_div(size, kTopkThreads);
  return static_cast<unsigned>(blocks < kMaxBlocks ? blocks : kMaxBlocks);
}

template <typename Word>
void reset(const DropAndGrowArgs& args, const Places& places, const void* init, void* data,
           Stream stream) {
  const auto kernel = drop_grow_reset_kernel<Word>;
  SGNN_LAUNCH(kernel, dim3(entry_blocks(args.size)), dim3(kTopkThreads), 0, stream,
              static_cast<const uint8_t*>(args.mask), static_cast<const uint8_t*>(places.kept),
              static_cast<const uint8_t*>(places.grown), args.size, static_cast<const Word*>(init),
              static_cast<Word*>(data));
}

void reset_bytes(const DropAndGrowArgs& args, const Places& places, int64_t bytes, const void* init,
                 void* data, Stream stream) {
  if (bytes == 1) return reset<uint8_t>(args, places, init, data, stream);
  if (bytes == 2) return reset<uint16_t>(args, places, init, data, stream);
  if (bytes == 4) return reset<uint32_t>(args, places, init, data, stream);
  reset<uint64_t>(args, places, init, data, stream);
}

template <typename T>
Status launch_typed(const DropAndGrowArgs& args, void* workspace, Stream stream) {
  using Key = ordered_key_t<T>;
  const Places places(workspace, args.size);
  const TopkWorkspace<Key> work(places.selection, args.size);
  const auto begin = drop_grow_begin_kernel;
  SGNN_LAUNCH(begin, dim3(1), dim3(32), 0, stream, places.counts);
  const bool own = args.drop_score == nullptr;
  rank<T>(own ? args.weight : args.drop_score, own || args.magnitude, args.mask, true, args.size,
          work, &places.counts->active, stream);
  const auto keep = drop_grow_keep_kernel<Key>;
  SGNN_LAUNCH(keep, dim3(1), dim3(32), 0, stream, places.counts, work.state, args.size, args.k,
              args.regrow);
  select<Key>(work, args.size, places.kept, stream);
  rank<T>(args.grow_score, args.magnitude, args.regrow ? places.kept : args.mask, false, args.size,
          work, nullptr, stream);
  const auto grow = drop_grow_grow_kernel<Key>;
  SGNN_LAUNCH(grow, dim3(1), dim3(32), 0, stream,
              static_cast<const DropAndGrowCounts*>(places.counts), work.state);
  select<Key>(work, args.size, places.grown, stream);
  reset_bytes(args, places, sizeof(T), args.init, args.weight, stream);
  for (int64_t s = 0; s < args.num_states; ++s) {
    reset_bytes(args, places, args.state_bytes[s], nullptr, args.states[s], stream);
  }
  const auto commit = drop_grow_mask_kernel<uint8_t>;
  SGNN_LAUNCH(commit, dim3(entry_blocks(args.size)), dim3(kTopkThreads), 0, stream, args.mask,
              static_cast<const uint8_t*>(places.kept), static_cast<const uint8_t*>(places.grown),
              args.size);
  return launch_status();
}

}  // namespace

int64_t drop_and_grow_workspace(const DropAndGrowArgs& args) {
  const int64_t selection = args.dtype == DType::kFloat64 ? TopkLayout<uint64_t>(args.size).bytes
                                                          : TopkLayout<uint32_t>(args.size).bytes;
  return Places::bytes(args.size) + selection;
}

Status drop_and_grow_cuda(const DropAndGrowArgs& args, void* workspace, Stream stream) {
  if (args.size == 0 || args.k == 0) return nullptr;
  Status status = nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    status = launch_typed<typename decltype(type)::type>(args, workspace, stream);
  });
  return status;
}

}  // namespace sgnn
