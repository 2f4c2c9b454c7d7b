// The entry points that exist once per instruction set, and which set this processor has.
#pragma once

#include <cstdint>

#include "select_pass.h"
#include "sgnn/block_linear.h"
#include "sgnn/dropout.h"
#include "sgnn/edge_scores.h"
#include "sgnn/edge_softmax.h"
#include "sgnn/gat.h"
#include "sgnn/rows_spmm.h"
#include "sgnn/sddmm.h"
#include "sgnn/sparse_linear.h"
#include "sgnn/spmm.h"
#include "sgnn/spmm_grad.h"
#include "sgnn/topk_rows.h"

namespace sgnn::cpu {

// z [rows, outputs] = h [rows, width] w [outputs, width]^T; z is contiguous and holds acc_t<T>.
struct ProjectArgs {
  DType dtype;
  const void* h;
  int64_t h_stride;
  const void* w;
  int64_t w_stride;
  int64_t rows;
  int64_t width;
  int64_t outputs;
  void* z;
};

#define SGNN_DECLARE_ISA(name)                                                              \
  namespace name {                                                                          \
  void spmm(const SpmmArgs& args, int64_t begin, int64_t end, int64_t first, int64_t last); \
  void dropout(const DropoutArgs& args, int64_t begin, int64_t end);                        \
  void project(const ProjectArgs& args);                                                    \
  void sddmm(const SddmmArgs& args, int64_t begin, int64_t end);                            \
  void edge_scores(const EdgeScoresArgs& args, int64_t begin, int64_t end);                 \
  void edge_sum(const EdgeSumArgs& args, int64_t begin, int64_t end);                       \
  void edge_softmax(const EdgeSoftmaxArgs& args, int64_t begin, int64_t end);               \
  void edge_softmax_grad(const EdgeSoftmaxGradArgs& args, int64_t begin, int64_t end);      \
  void spmm_grad(const SpmmGradArgs& args, int64_t begin, int64_t end);                     \
  void gat(const GatArgs& args, int64_t begin, int64_t end);                                \
  void gat_grad_targets(const GatGradArgs& args, int64_t begin, int64_t end);               \
  void gat_grad_sources(const GatGradArgs& args, int64_t begin, int64_t end);               \
  void rows_spmm(const RowsSpmmArgs& args, int64_t begin, int64_t end);                     \
  void rows_spmm_edges(const RowsSpmmArgs& args, int64_t begin, int64_t end);               \
  void rows_spmm_values(const RowsSpmmArgs& args, int64_t begin, int64_t end);              \
  void topk_rows(const TopkRowsArgs& args, void* keys, int64_t begin, int64_t end);         \
  void select_scan(const SelectScores& from, int64_t begin, int64_t end, ScanPass& pass);   \
  void select_write(const SelectScores& from, int64_t begin, int64_t end, WritePass& pass); \
  void sparse_linear(const SparseLinearArgs& args, const void* packed, int64_t begin,       \
                     int64_t end);                                                          \
  void sparse_linear_grad(const SparseLinearGradArgs& args, const LinearGradPart& part);    \
  void block_linear(const BlockLinearArgs& args, int64_t begin, int64_t end);               \
  void block_linear_grad(const BlockLinearGradArgs& args, const BlockGradPart& part);       \
  }

SGNN_DECLARE_ISA(baseline)
#if defined(__x86_64__)
SGNN_DECLARE_ISA(avx2)
SGNN_DECLARE_ISA(avx512)
#endif
#undef SGNN_DECLARE_ISA

enum class Isa : int32_t { kBaseline, kAvx2, kAvx512 };

// Best instruction set of this processor that the build contains.
Isa detect_isa();

// The set in use: detect_isa() unless set_isa() lowered it. set_isa returns false, and changes
// nothing, for a set that this processor lacks; it exists for tests and is not meant to race with
// running ops.
Isa current_isa();
bool set_isa(Isa isa);

}  // namespace sgnn::cpu

// Calls sgnn::cpu::<isa in use>::fn(...).
#if defined(__x86_64__)
#define SGNN_CALL_ISA(fn, ...)                       \
  switch (::sgnn::cpu::current_isa()) {              \
    case ::sgnn::cpu::Isa::kAvx512:                  \
      return ::sgnn::cpu::avx512::fn(__VA_ARGS__);   \
    case ::sgnn::cpu::Isa::kAvx2:                    \
      return ::sgnn::cpu::avx2::fn(__VA_ARGS__);     \
    case ::sgnn::cpu::Isa::kBaseline:                \
      return ::sgnn::cpu::baseline::fn(__VA_ARGS__); \
  }
#else
#define SGNN_CALL_ISA(fn, ...) return ::sgnn::cpu::baseline::fn(__VA_ARGS__)
#endif
