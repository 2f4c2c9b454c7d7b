// Hub rows of SpMM, cut into chunks that warps sum side by side.
//
// Chunk boundaries are the multiples of `chunk` among all stored positions, so a chunk finds its
// row by a search and no list of hubs is needed. A row is a hub when it has more than 2 * chunk
// edges; its first chunk also takes the edges before the row's first boundary, so every chunk has
// between 1 and 2 * chunk - 1 edges of one row and a place of its own for the partial sum.
#pragma once

#include "device/tile.cuh"
#include "device/warp_search.cuh"

namespace sgnn {

inline constexpr int64_t kMinChunk = 512;
inline constexpr int64_t kMaxChunks = int64_t{1} << 17;  // bounds the workspace

// Edges of a chunk: grows with the graph, whose other rows then take the longer, too.
inline int64_t chunk_edges(int64_t nnz) {
  int64_t chunk = kMinChunk;
  while (ceil_div(nnz, chunk) > kMaxChunks) chunk *= 2;
  return chunk;
}

// Chunks of a graph; zero when no row can be a hub.
inline int64_t chunk_count(int64_t nnz) {
  const int64_t chunk = chunk_edges(nnz);
  return nnz > 2 * chunk ? ceil_div(nnz, chunk) : 0;
}

template <typename Acc>
struct HubSplit {
  int64_t chunk;   // edges of a chunk
  int64_t chunks;  // zero: no row is split
  int64_t blocks;  // of the grid, for the chunks
  Acc* partial;    // [chunks, tiles, lanes, kItems]
  int64_t* kept;   // [chunks]

  __device__ __forceinline__ bool is_hub(int64_t degree) const {
    return chunks > 0 && degree > 2 * chunk;
  }
};

// Edges [begin, end) of `row`: all of them, or those of chunk `chunk` of a hub. Row -1: nothing.
struct Span {
  int64_t row;
  int64_t begin;
  int64_t end;
  int64_t chunk;  // -1: the whole row
};

// The hub row that holds the boundary of `chunk`, whole; row -1 when the row there is no hub. The
// warp searches together.
template <typename Index, typename Acc>
__device__ __forceinline__ Span hub_at(const CsrView<Index>& csr, const HubSplit<Acc>& split,
                                       int64_t chunk) {
  if (chunk >= split.chunks) return {-1, 0, 0, -1};
  const int64_t row = warp_row_of(csr.rowptr, 0, csr.num_rows, chunk * split.chunk);
  const int64_t begin = csr.rowptr[row];
  const int64_t end = csr.rowptr[row + 1];
  return {split.is_hub(end - begin) ? row : -1, begin, end, -1};
}

template <typename Index, typename Acc>
__device__ __forceinline__ Span chunk_span(const CsrView<Index>& csr, const HubSplit<Acc>& split,
                                           int64_t chunk) {
  Span span = hub_at(csr, split, chunk);
  const int64_t boundary = chunk * split.chunk;
  if (boundary - span.begin >= split.chunk) span.begin = boundary;
  if (boundary + split.chunk < span.end) span.end = boundary + split.chunk;
  span.chunk = chunk;
  return span;
}

// The whole of `row`; row -1 when it is past the last one or a hub.
template <typename Index, typename Acc>
__device__ __forceinline__ Span row_span(const CsrView<Index>& csr, const HubSplit<Acc>& split,
                                         int64_t row) {
  if (row >= csr.num_rows) return {-1, 0, 0, -1};
  const int64_t begin = csr.rowptr[row];
  const int64_t end = csr.rowptr[row + 1];
  return {split.is_hub(end - begin) ? -1 : row, begin, end, -1};
}

}  // namespace sgnn
