// Launch of graph attention and its gradients.
#include "gat.cuh"
#include "gat_grad.cuh"
#include "sgnn/dispatch.h"

namespace sgnn {
namespace {

constexpr int64_t kGradSums = 1;  // of a record

int64_t forward_sums(const GatArgs& args) {
  return args.positive == nullptr ? kForwardSums<false> : kForwardSums<true>;
}

template <typename T>
GatParams<T> make_params(const GatArgs& args, void* workspace) {
  using Acc = acc_t<T>;
  GatParams<T> params;
  fill_attention(params, args, forward_sums(args), workspace);
  params.x = static_cast<const T*>(args.x);
  params.s_dst = static_cast<const Acc*>(args.s_dst);
  params.s_src = static_cast<const Acc*>(args.s_src);
  params.edge_score = static_cast<const Acc*>(args.edge_score);
  fill_results(params, args);
  params.positive = static_cast<T*>(args.positive);
  params.positive_weight = static_cast<Acc*>(args.positive_weight);
  return params;
}

template <bool kAligned, bool kPositive, typename T>
void launch_forward(const GatParams<T>& params, Stream stream) {
  const auto kernel = gat_kernel<T, kAligned, kPositive>;
  SGNN_LAUNCH(kernel, attention_grid(params), dim3(kAttentionThreads), 0, stream, params);
  launch_attention_hubs<kAligned, kPositive, T>(params, stream);
}

template <bool kAligned, typename T>
void launch_forward(const GatParams<T>& params, Stream stream) {
  params.positive == nullptr ? launch_forward<kAligned, false>(params, stream)
                             : launch_forward<kAligned, true>(params, stream);
}

template <typename T>
GatTargetsParams<T> make_targets(const GatTargetsArgs& args) {
  using Acc = acc_t<T>;
  GatTargetsParams<T> params;
  params.pairs = args.targets * args.heads;
  params.heads = args.heads;
  params.width = args.width;
  params.shape = tile_shape<T>(args.width);
  params.slope = static_cast<Acc>(args.negative_slope);
  params.grad = static_cast<const T*>(args.grad);
  params.y = static_cast<const T*>(args.y);
  params.positive = static_cast<const T*>(args.positive);
  params.positive_weight = static_cast<const Acc*>(args.positive_weight);
  params.s_dst = static_cast<const Acc*>(args.s_dst);
  params.row_max = static_cast<const Acc*>(args.row_max);
  params.inv_sum = static_cast<const Acc*>(args.inv_sum);
  params.stats = static_cast<Acc*>(args.target_stats);
  params.grad_dst = static_cast<Acc*>(args.grad_dst);
  return params;
}

template <typename T>
GatSourcesParams<T> make_sources(const GatGradArgs& args, void* workspace) {
  using Acc = acc_t<T>;
  GatSourcesParams<T> params;
  fill_attention(params, args, kGradSums, workspace);
  params.x = static_cast<const T*>(args.x);
  params.grad = static_cast<const T*>(args.grad);
  params.s_src = static_cast<const Acc*>(args.s_src);
  params.edge_score = static_cast<const Acc*>(args.edge_score);
  params.stats = static_cast<const Acc*>(args.target_stats);
  params.grad_x = static_cast<T*>(args.grad_x);
  params.grad_src = static_cast<Acc*>(args.grad_src);
  params.grad_score = static_cast<Acc*>(args.grad_score);
  return params;
}

template <bool kAligned, typename T>
void launch_targets(const GatTargetsParams<T>& params, Stream stream) {
  if (params.pairs == 0) return;
  const int64_t warps = ceil_div(params.pairs, kWarpSize / params.shape.lanes);
  const dim3 grid(static_cast<unsigned>(ceil_div(warps, kAttentionWarps)));
  const auto kernel = gat_grad_targets_kernel<T, kAligned>;
  SGNN_LAUNCH(kernel, grid, dim3(kAttentionThreads), 0, stream, params);
}

template <bool kAligned, typename T>
void launch_sources(const GatSourcesParams<T>& params, Stream stream) {
  if (params.csr.num_rows == 0) return;
  const dim3 threads(kAttentionThreads);
  const auto kernel = gat_grad_sources_kernel<T, kAligned>;
  SGNN_LAUNCH(kernel, attention_grid(params), threads, 0, stream, params);
  if (params.split.chunks == 0) return;
  const auto hubs = gat_grad_hub_kernel<T, kAligned>;
  SGNN_LAUNCH(hubs, attention_hub_grid(params), threads, 0, stream, params);
}

}  // namespace

int64_t gat_workspace(const GatArgs& args) { return attention_workspace(args, forward_sums(args)); }

int64_t gat_grad_workspace(const GatGradArgs& args) { return attention_workspace(args, kGradSums); }

Status gat_cuda(const GatArgs& args, void* workspace, Stream stream) {
  if (args.csr.num_rows == 0 || args.heads == 0) return nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const GatParams<T> params = make_params<T>(args, workspace);
    const bool aligned = heads_aligned<T>(args.x, args.width) &&
                         heads_aligned<T>(args.y, args.width) &&
                         heads_aligned<T>(args.positive, args.width);
    aligned ? launch_forward<true>(params, stream) : launch_forward<false>(params, stream);
  });
  return launch_status();
}

Status gat_grad_targets_cuda(const GatTargetsArgs& args, Stream stream) {
  if (args.heads == 0) return nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const GatTargetsParams<T> params = make_targets<T>(args);
    const bool aligned = heads_aligned<T>(args.grad, args.width) &&
                         heads_aligned<T>(args.y, args.width) &&
                         heads_aligned<T>(args.positive, args.width);
    aligned ? launch_targets<true>(params, stream) : launch_targets<false>(params, stream);
  });
  return launch_status();
}

Status gat_grad_cuda(const GatGradArgs& args, void* workspace, Stream stream) {
  if (args.heads == 0) return nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const GatSourcesParams<T> params = make_sources<T>(args, workspace);
    const bool aligned = heads_aligned<T>(args.x, args.width) &&
                         heads_aligned<T>(args.grad, args.width) &&
                         heads_aligned<T>(args.grad_x, args.width);
    aligned ? launch_sources<true>(params, stream) : launch_sources<false>(params, stream);
  });
  return launch_status();
}

}  // namespace sgnn
