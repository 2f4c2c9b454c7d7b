// Launch of GATv2's attention and its gradients.
#include <initializer_list>

#include "gatv2.cuh"
#include "gatv2_grad.cuh"
#include "sgnn/dispatch.h"

namespace sgnn {
namespace {

constexpr int64_t kSums = 1;  // of a record

template <typename T>
Gatv2Params<T> make_params(const Gatv2Args& args, void* workspace) {
  Gatv2Params<T> params = {};
  fill_attention(params, args, kForwardSums<false>, workspace);
  fill_results(params, args);
  params.x = static_cast<const T*>(args.x);
  params.x_dst = static_cast<const T*>(args.x_dst);
  params.att = static_cast<const acc_t<T>*>(args.att);
  return params;
}

template <typename Layout, typename T>
void launch_forward(const Gatv2Params<T>& params, Stream stream) {
  const auto kernel = gatv2_kernel<T, Layout>;
  SGNN_LAUNCH(kernel, attention_grid(params), dim3(kAttentionThreads), 0, stream, params);
  launch_attention_hubs<Layout::kAligned, false, T>(params, stream);
}

// Parts in the gradient of att: their number depends on the graph and H alone.
int64_t share_count(const Gatv2GradArgs& args) {
  const int64_t units = args.csr.num_rows + chunk_count(args.csr.nnz);
  const int64_t wanted = ceil_div(units, kShareRows);
  const int64_t most = ceil_div(kShareWarps, args.heads);
  return wanted < most ? wanted : most;
}

// Bytes of the records, which come before the shares in the workspace.
int64_t record_bytes(const Gatv2GradArgs& args) {
  return ceil_div(attention_workspace(args, kSums), 16) * 16;
}

// Everything of a pass along `csr` but its rows.
template <typename T>
void fill_pass(Gatv2GradParams<T>& params, Gatv2GradArgs args, const CsrArg& csr, void* workspace) {
  args.csr = csr;
  fill_attention(params, args, kSums, workspace);
  params.grad = static_cast<const T*>(args.grad);
  params.att = static_cast<const acc_t<T>*>(args.att);
  params.stats = static_cast<acc_t<T>*>(args.target_stats);
}

template <typename T>
Gatv2TargetsParams<T> make_targets(const Gatv2GradArgs& args, void* workspace) {
  using Acc = acc_t<T>;
  Gatv2TargetsParams<T> params = {};
  fill_pass(params, args, args.csr, workspace);
  params.near = static_cast<const T*>(args.x_dst);
  params.far = static_cast<const T*>(args.x);
  params.out = static_cast<T*>(args.grad_dst);
  params.y = static_cast<const T*>(args.y);
  params.row_max = static_cast<const Acc*>(args.row_max);
  params.inv_sum = static_cast<const Acc*>(args.inv_sum);
  params.shares = share_count(args);
  params.att_shares = reinterpret_cast<Acc*>(static_cast<char*>(workspace) + record_bytes(args));
  return params;
}

template <typename T>
Gatv2GradParams<T> make_sources(const Gatv2GradArgs& args, const CsrArg& by_source,
                                void* workspace) {
  Gatv2GradParams<T> params = {};
  fill_pass(params, args, by_source, workspace);
  params.near = static_cast<const T*>(args.x);
  params.far = static_cast<const T*>(args.x_dst);
  params.out = static_cast<T*>(args.grad_x);
  return params;
}

template <bool kAligned, typename T>
void launch_hubs(const Gatv2GradParams<T>& params, Stream stream) {
  if (params.split.chunks == 0) return;
  const auto kernel = gatv2_grad_hub_kernel<T, kAligned>;
  SGNN_LAUNCH(kernel, attention_hub_grid(params), dim3(kAttentionThreads), 0, stream, params);
}

template <typename Layout, typename T>
void launch_targets(const Gatv2TargetsParams<T>& params, void* grad_att, Stream stream) {
  using Acc = acc_t<T>;
  if (params.shares > 0) {
    const dim3 grid(static_cast<unsigned>(ceil_div(params.shares * params.heads, kAttentionWarps)));
    const auto kernel = gatv2_grad_targets_kernel<T, Layout>;
    SGNN_LAUNCH(kernel, grid, dim3(kAttentionThreads), 0, stream, params);
    launch_hubs<Layout::kAligned, T>(params, stream);
  }
  const int64_t columns = params.heads * params.width;
  const dim3 blocks(static_cast<unsigned>(ceil_div(columns, kColumnLanes)));
  const auto add = gatv2_grad_att_kernel<Acc>;
  SGNN_LAUNCH(add, blocks, dim3(kColumnLanes * kShareLanes), 0, stream,
              static_cast<const Acc*>(params.att_shares), params.shares, columns,
              static_cast<Acc*>(grad_att));
}

template <typename Layout, typename T>
void launch_sources(const Gatv2GradParams<T>& params, Stream stream) {
  if (params.csr.num_rows == 0) return;
  const auto kernel = gatv2_grad_sources_kernel<T, Layout>;
  SGNN_LAUNCH(kernel, attention_grid(params), dim3(kAttentionThreads), 0, stream, params);
  launch_hubs<Layout::kAligned>(params, stream);
}

template <typename Layout, typename T>
void launch_backward(const Gatv2GradArgs& args, const CsrArg& by_source, void* grad_att,
                     void* workspace, Stream stream) {
  launch_targets<Layout>(make_targets<T>(args, workspace), grad_att, stream);
  launch_sources<Layout>(make_sources<T>(args, by_source, workspace), stream);
}

// Calls launch(PairLayout) for heads of `width` in `arrays`.
template <typename T, typename Launch>
void dispatch_layout(int64_t width, std::initializer_list<const void*> arrays, Launch&& launch) {
  for (const void* rows : arrays) {
    if (!heads_aligned<T>(rows, width)) return launch(PairLayout<false, true>{});
  }
  tile_shape<T>(width).tiles > 1 ? launch(PairLayout<true, true>{})
                                 : launch(PairLayout<true, false>{});
}

}  // namespace

int64_t gatv2_workspace(const Gatv2Args& args) {
  return attention_workspace(args, kForwardSums<false>);
}

int64_t gatv2_grad_workspace(const Gatv2GradArgs& args) {
  if (args.heads == 0 || args.width == 0) return 0;
  const int64_t bytes = args.dtype == DType::kFloat64 ? 8 : 4;
  return record_bytes(args) + share_count(args) * args.heads * args.width * bytes;
}

Status gatv2_cuda(const Gatv2Args& args, void* workspace, Stream stream) {
  if (args.csr.num_rows == 0 || args.heads == 0) return nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const Gatv2Params<T> params = make_params<T>(args, workspace);
    dispatch_layout<T>(args.width, {args.x, args.x_dst, args.y},
                       [&](auto layout) { launch_forward<decltype(layout)>(params, stream); });
  });
  return launch_status();
}

Status gatv2_grad_cuda(const Gatv2GradArgs& args, const CsrArg& by_source, void* grad_att,
                       void* workspace, Stream stream) {
  if (args.heads == 0 || args.width == 0) return nullptr;
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    dispatch_layout<T>(
        args.width, {args.x, args.x_dst, args.grad, args.y, args.grad_x, args.grad_dst},
        [&](auto layout) {
          launch_backward<decltype(layout), T>(args, by_source, grad_att, workspace, stream);
        });
  });
  return launch_status();
}

}  // namespace sgnn
