// The arguments that fused attention operators share.
#pragma once

#include "dropout_args.h"
#include "edge_values.h"
#include "graph_args.h"
#include "sgnn/gat.h"
#include "sgnn/gatv2.h"

namespace sgnn::binding {

// Contiguous [rows, H, D] of dtype `type` on the device of `reference`.
void check_heads(const Tensor& tensor, int64_t rows, int64_t heads, int64_t width, ScalarType type,
                 const Tensor& reference, const char* name);

// One value or row per head, of acc_t<dtype>, uninitialised.
Tensor acc_empty(const Tensor& like, DType dtype, int64_t rows, int64_t columns);

// Everything of AttentionInputs but csr: `sources` is the node count, `edges` the number of edges.
void fill_attention_inputs(AttentionInputs& inputs, int64_t sources, int64_t edges, const Tensor& x,
                           const OptionalTensor& bits, double negative_slope, double dropout,
                           const OptionalTensor& seed, const Tensor& reference);

// Everything of GatInputs but csr: `sources` is the node count, `edges` the number of edges.
void fill_gat_inputs(GatInputs& inputs, int64_t sources, int64_t edges, const Tensor& x,
                     const Tensor& s_src, const OptionalTensor& edge_score,
                     const OptionalTensor& bits, double negative_slope, double dropout,
                     const OptionalTensor& seed, const Tensor& reference);

}  // namespace sgnn::binding
