// C = A B of two CSR matrices, C in CSR as well (Gustavson, "Two Fast Algorithms for Sparse
// Matrices: Multiplication and Permuted Transposition", ACM TOMS 1978). The pattern comes first:
//
//   spgemm_sizes:    sizes[i] = number of columns k with stored A[i, j] and B[j, k] for some j
//   spgemm_columns:  these columns of every row i, ascending, from c.rowptr[i] on
//   spgemm_values:   c[p]  = sum_e a[e] * b[q]   over entries e = (i, j) of A and q = (j, k) of B
//   spgemm_grad:     da[e] = sum_q b[q] * g[p]   for every entry e = (i, j) of A
//                    db[q] = sum_e a[e] * g[p]   for every entry q = (j, k) of B
//
// with p = (i, k) the entry of C that e and q meet in. C stores every structural entry, zero or
// not. Columns ascend within the rows of B; A and B may store a place twice. No edge_id: values
// stand in stored order. Accumulates in acc_t<T>; the result does not depend on the thread count.
#pragma once

#include <cstdint>

#include "sgnn/csr.h"
#include "sgnn/status.h"
#include "sgnn/types.h"

namespace sgnn {

struct SpgemmArgs {
  CsrArg a;                       // [M, K]
  CsrArg b;                       // [K, F]
  CsrArg c;                       // [M, F], the pattern of the product; all three of one index type
  DType dtype = DType::kFloat32;  // T
  const void* a_values = nullptr;    // acc_t<T> [nnz of A]
  const void* b_values = nullptr;    // T [nnz of B]
  const void* g = nullptr;           // T [nnz of C]
  const uint64_t* b_bits = nullptr;  // spgemm_bits_cpu of B, or null
};

inline int64_t spgemm_words(const SpgemmArgs& args) { return (args.b.num_cols + 63) / 64; }

// Whether a set of bits per row of B is no larger than B itself: then rows are united word by word.
inline bool spgemm_uses_bits(const SpgemmArgs& args) {
  return args.b.num_rows * spgemm_words(args) <= args.b.nnz;
}

// The columns of rows [begin, end) of B as bits, [spgemm_words] words a row.
void spgemm_bits_cpu(const SpgemmArgs& args, int64_t begin, int64_t end, uint64_t* bits);

// Rows [begin, end) on the calling thread. `sizes` is int64 [M], `col` has the index type.
void spgemm_sizes_cpu(const SpgemmArgs& args, int64_t begin, int64_t end, int64_t* sizes);
void spgemm_columns_cpu(const SpgemmArgs& args, int64_t begin, int64_t end, void* col);
void spgemm_values_cpu(const SpgemmArgs& args, int64_t begin, int64_t end, void* c_values);

// Writes `da`, acc_t<T>, of rows [begin, end) of A, and adds their share to `db`, acc_t<T>, a sum
// over all rows: the caller adds the sums of several ranges. Either may be null.
void spgemm_grad_cpu(const SpgemmArgs& args, int64_t begin, int64_t end, void* da, void* db);

Status spgemm_sizes_cuda(const SpgemmArgs& args, int64_t* sizes, Stream stream);
Status spgemm_columns_cuda(const SpgemmArgs& args, void* col, Stream stream);
Status spgemm_values_cuda(const SpgemmArgs& args, void* c_values, Stream stream);
Status spgemm_grad_a_cuda(const SpgemmArgs& args, void* da, Stream stream);

// `a_transposed` [K, M] has the entries of A by column, its edge_id their positions in A. `db` is
// T [nnz of B].
Status spgemm_grad_b_cuda(const SpgemmArgs& args, const CsrArg& a_transposed, void* db,
                          Stream stream);

}  // namespace sgnn
