// A weight matrix as one stream: column and value of every entry side by side, row after row.
#pragma once

#include <cstdint>

#include "sgnn/csr.h"

namespace sgnn::cpu {

template <typename A>
struct PackedEntry {
  A value;
  int32_t col;
};

template <typename A>
struct PackedRows {
  const int64_t* begin;           // [rows + 1]
  const PackedEntry<A>* entries;  // [nnz]
};

inline int64_t packed_header_bytes(int64_t rows) { return ((rows + 1) * 8 + 63) / 64 * 64; }

template <typename A>
int64_t packed_bytes(const CsrArg& csr) {
  return packed_header_bytes(csr.num_rows) + csr.nnz * static_cast<int64_t>(sizeof(PackedEntry<A>));
}

template <typename A>
PackedRows<A> view_packed(const void* packed, int64_t rows) {
  const char* bytes = static_cast<const char*>(packed);
  return {reinterpret_cast<const int64_t*>(bytes),
          reinterpret_cast<const PackedEntry<A>*>(bytes + packed_header_bytes(rows))};
}

template <typename A, typename Index>
void pack_rows(const CsrView<Index>& csr, const A* values, void* packed) {
  char* bytes = static_cast<char*>(packed);
  auto* begin = reinterpret_cast<int64_t*>(bytes);
  auto* entries = reinterpret_cast<PackedEntry<A>*>(bytes + packed_header_bytes(csr.num_rows));
  for (int64_t o = 0; o <= csr.num_rows; ++o) begin[o] = csr.rowptr[o];
  for (int64_t j = 0; j < csr.nnz; ++j) {
    entries[j] = {values[csr.value_index(j)], static_cast<int32_t>(csr.col[j])};
  }
}

}  // namespace sgnn::cpu
