// A build without nvcc: every CUDA entry point exists and answers with one sentence.
#include <cstring>

#include "check.h"
#include "sgnn/dropout.h"
#include "sgnn/gat.h"
#include "sgnn/gatv2.h"
#include "sgnn/hard_concrete.h"
#include "sgnn/rows_spmm.h"
#include "sgnn/sddmm.h"
#include "sgnn/sparse_linear.h"
#include "sgnn/spmm.h"
#include "sgnn/spmm_extreme.h"
#include "sgnn/spmm_grad.h"
#include "sgnn/topk_mask.h"
#include "sgnn/topk_rows.h"

namespace {

bool explains(sgnn::Status status) {
  return status != nullptr && strstr(status, "sparsegnn was built without CUDA") != nullptr;
}

SGNN_TEST(every_stub_says_that_cuda_is_missing) {
  CHECK(!sgnn::cuda_compiled());
  CHECK(explains(sgnn::dropout_cuda({}, nullptr)));
  CHECK(explains(sgnn::dropout_grad_cuda({}, nullptr)));
  CHECK(explains(sgnn::gat_cuda({}, nullptr, nullptr)));
  CHECK(explains(sgnn::gat_grad_targets_cuda({}, nullptr)));
  CHECK(explains(sgnn::gat_grad_cuda({}, nullptr, nullptr)));
  CHECK(explains(sgnn::gatv2_cuda({}, nullptr, nullptr)));
  CHECK(explains(sgnn::gatv2_grad_cuda({}, {}, nullptr, nullptr, nullptr)));
  CHECK(explains(sgnn::spmm_cuda({}, nullptr, nullptr)));
  CHECK(explains(sgnn::hard_concrete_cuda({}, nullptr)));
  CHECK(explains(sgnn::spmm_extreme_cuda({}, nullptr, nullptr)));
  CHECK(explains(sgnn::spmm_extreme_grad_cuda({}, nullptr)));
  CHECK(explains(sgnn::spmm_grad_cuda({}, nullptr, nullptr)));
  CHECK(explains(sgnn::sddmm_cuda({}, nullptr)));
  CHECK(explains(sgnn::sparse_linear_cuda({}, nullptr, nullptr)));
  CHECK(explains(sgnn::sparse_linear_grad_cuda({}, nullptr, nullptr)));
  CHECK(explains(sgnn::topk_mask_cuda({}, nullptr, nullptr)));
  CHECK(explains(sgnn::rows_spmm_cuda({}, nullptr)));
  CHECK(explains(sgnn::rows_spmm_edges_cuda({}, nullptr)));
  CHECK(explains(sgnn::rows_spmm_values_cuda({}, nullptr)));
  CHECK(explains(sgnn::topk_rows_cuda({}, nullptr)));
  CHECK(sgnn::gat_workspace({}) == 0);
  CHECK(sgnn::gat_grad_workspace({}) == 0);
  CHECK(sgnn::gatv2_workspace({}) == 0);
  CHECK(sgnn::gatv2_grad_workspace({}) == 0);
  CHECK(sgnn::spmm_workspace({}) == 0);
  CHECK(sgnn::spmm_extreme_workspace({}) == 0);
  CHECK(sgnn::sparse_linear_workspace({}) == 0);
  CHECK(sgnn::sparse_linear_grad_workspace({}) == 0);
  CHECK(sgnn::topk_mask_workspace({}) == 0);
}

}  // namespace
