// Launches of the exact top-k selection.
#include <algorithm>

#include "sgnn/dispatch.h"
#include "sgnn/topk_mask.h"
#include "topk_mask.cuh"

namespace sgnn {
namespace {

// Blocks of a histogram pass: enough to fill a device, few enough that adding up their histograms
// costs little.
constexpr int64_t kMaxHistogramBlocks = 512;

int64_t total_size(const TopkMaskArgs& args) {
  int64_t total = 0;
  for (int64_t t = 0; t < args.num_tensors; ++t) total += args.sizes[t];
  return total;
}

// The selection of tensor t alone.
TopkMaskArgs one_tensor(const TopkMaskArgs& args, int64_t t) {
  TopkMaskArgs one = args;
  one.num_tensors = 1;
  one.scores += t;
  one.keep += t;
  one.sizes += t;
  one.k += t;
  one.per_tensor = false;
  return one;
}

int64_t round_up(int64_t bytes) { return ceil_div(bytes, 16) * 16; }

// Places of the three parts of the workspace.
template <typename Key>
struct Layout {
  explicit Layout(int64_t total)
      : chunks(ceil_div(total, kTopkChunk)),
        ties_offset(round_up(static_cast<int64_t>(sizeof(TopkState<Key>)))),
        keys_offset(ties_offset + round_up(chunks * static_cast<int64_t>(sizeof(int64_t)))),
        bytes(keys_offset + total * static_cast<int64_t>(sizeof(Key))) {}

  int64_t chunks;
  int64_t ties_offset;
  int64_t keys_offset;
  int64_t bytes;
};

unsigned histogram_blocks(int64_t count) {
  const int64_t blocks = ceil_div(count, kTopkLoads * kTopkThreads);
  return static_cast<unsigned>(blocks < kMaxHistogramBlocks ? blocks : kMaxHistogramBlocks);
}

template <typename Key>
Digit digit_of_pass(int pass) {
  const int rest = static_cast<int>(sizeof(Key)) * 8 - pass * kDigitBits;
  const int width = rest < kDigitBits ? rest : kDigitBits;
  return {rest - width, width};
}

// Converts every tensor, then narrows the threshold digit by digit.
template <typename T>
void select(const TopkMaskArgs& args, int64_t total, ordered_key_t<T>* keys,
            TopkState<ordered_key_t<T>>* state, Stream stream) {
  using Key = ordered_key_t<T>;
  const dim3 block(kTopkThreads);
  const auto begin = topk_begin_kernel<Key>;
  SGNN_LAUNCH(begin, dim3(1), block, 0, stream, state, args.k[0]);
  Digit digit = digit_of_pass<Key>(0);
  int64_t offset = 0;
  for (int64_t t = 0; t < args.num_tensors; ++t) {
    const int64_t size = args.sizes[t];
    if (size == 0) continue;
    const auto convert = topk_keys_kernel<T>;
    SGNN_LAUNCH(convert, dim3(histogram_blocks(size)), block, 0, stream,
                static_cast<const T*>(args.scores[t]), size, keys + offset, state, digit);
    offset += size;
  }
  const auto choose = topk_select_kernel<Key>;
  SGNN_LAUNCH(choose, dim3(1), block, 0, stream, state, digit);
  for (int pass = 1; digit.shift > 0; ++pass) {
    digit = digit_of_pass<Key>(pass);
    const auto count = topk_digit_kernel<Key>;
    SGNN_LAUNCH(count, dim3(histogram_blocks(total)), block, 0, stream,
                static_cast<const Key*>(keys), total, state, digit);
    SGNN_LAUNCH(choose, dim3(1), block, 0, stream, state, digit);
  }
}

// Ranks the ties and writes every tensor's mask.
template <typename Key>
void write_masks(const TopkMaskArgs& args, int64_t total, int64_t chunks, const Key* keys,
                 const TopkState<Key>* state, int64_t* ties, Stream stream) {
  const dim3 block(kTopkThreads);
  const auto count = topk_ties_kernel<Key>;
  SGNN_LAUNCH(count, dim3(static_cast<unsigned>(chunks)), block, 0, stream, keys, total, state,
              ties);
  const auto scan = topk_scan_kernel<int64_t>;
  SGNN_LAUNCH(scan, dim3(1), block, 0, stream, ties, chunks);
  int64_t begin = 0;
  for (int64_t t = 0; t < args.num_tensors; ++t) {
    const int64_t end = begin + args.sizes[t];
    if (end == begin) continue;
    const int64_t first_chunk = begin / kTopkChunk;
    const auto blocks = static_cast<unsigned>(ceil_div(end, kTopkChunk) - first_chunk);
    const auto write = topk_write_kernel<Key>;
    SGNN_LAUNCH(write, dim3(blocks), block, 0, stream, keys, begin, end, state,
                static_cast<const int64_t*>(ties), first_chunk, args.keep[t]);
    begin = end;
  }
}

template <typename T>
Status launch_typed(const TopkMaskArgs& args, void* workspace, Stream stream) {
  using Key = ordered_key_t<T>;
  const int64_t total = total_size(args);
  if (total == 0) return nullptr;
  const Layout<Key> layout(total);
  char* base = static_cast<char*>(workspace);
  auto* state = reinterpret_cast<TopkState<Key>*>(base);
  auto* ties = reinterpret_cast<int64_t*>(base + layout.ties_offset);
  auto* keys = reinterpret_cast<Key*>(base + layout.keys_offset);
  select<T>(args, total, keys, state, stream);
  write_masks<Key>(args, total, layout.chunks, keys, state, ties, stream);
  return launch_status();
}

}  // namespace

// Tensors that are selected from one by one share the space of the largest.
int64_t topk_mask_workspace(const TopkMaskArgs& args) {
  int64_t total = 0;
  for (int64_t t = 0; t < args.num_tensors; ++t) {
    total = args.per_tensor ? std::max(total, args.sizes[t]) : total + args.sizes[t];
  }
  return args.dtype == DType::kFloat64 ? Layout<uint64_t>(total).bytes
                                       : Layout<uint32_t>(total).bytes;
}

Status topk_mask_cuda(const TopkMaskArgs& args, void* workspace, Stream stream) {
  Status status = nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if (!args.per_tensor) {
      status = launch_typed<T>(args, workspace, stream);
      return;
    }
    for (int64_t t = 0; t < args.num_tensors && status == nullptr; ++t) {
      status = launch_typed<T>(one_tensor(args, t), workspace, stream);
    }
  });
  return status;
}

}  // namespace sgnn
