// Launches of the exact top-k selection.
#include <algorithm>

#include "sgnn/dispatch.h"
#include "sgnn/topk_mask.h"
#include "topk_launch.cuh"

namespace sgnn {
namespace {

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

// Converts every tensor to keys and counts their first digit.
template <typename T>
void convert(const TopkMaskArgs& args, const TopkWorkspace<ordered_key_t<T>>& work, Stream stream) {
  using Key = ordered_key_t<T>;
  const dim3 block(kTopkThreads);
  const auto begin = topk_begin_kernel<Key>;
  SGNN_LAUNCH(begin, dim3(1), block, 0, stream, work.state, args.k[0]);
  int64_t offset = 0;
  for (int64_t t = 0; t < args.num_tensors; ++t) {
    const int64_t size = args.sizes[t];
    if (size == 0) continue;
    const auto keys = topk_keys_kernel<T>;
    SGNN_LAUNCH(keys, dim3(histogram_blocks(size)), block, 0, stream,
                static_cast<const T*>(args.scores[t]), size, work.keys + offset, work.state,
                digit_of_pass<Key>(0));
    offset += size;
  }
}

template <typename T>
Status launch_typed(const TopkMaskArgs& args, void* workspace, Stream stream) {
  using Key = ordered_key_t<T>;
  const int64_t total = total_size(args);
  if (total == 0) return nullptr;
  const TopkWorkspace<Key> work(workspace, total);
  convert<T>(args, work, stream);
  find_threshold<Key>(work, total, stream);
  rank_ties<Key>(work, total, stream);
  int64_t begin = 0;
  for (int64_t t = 0; t < args.num_tensors; ++t) {
    const int64_t end = begin + args.sizes[t];
    if (begin < end) write_mask<Key>(work, begin, end, args.keep[t], stream);
    begin = end;
  }
  return launch_status();
}

}  // namespace

// Tensors that are selected from one by one share the space of the largest.
int64_t topk_mask_workspace(const TopkMaskArgs& args) {
  int64_t total = 0;
  for (int64_t t = 0; t < args.num_tensors; ++t) {
    total = args.per_tensor ? std::max(total, args.sizes[t]) : total + args.sizes[t];
  }
  return args.dtype == DType::kFloat64 ? TopkLayout<uint64_t>(total).bytes
                                       : TopkLayout<uint32_t>(total).bytes;
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
