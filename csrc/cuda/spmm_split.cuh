// Hub rows of SpMM, of its gradients and of attention, cut into chunks that warps sum side by side.
//
// Chunk boundaries are the multiples of `chunk` among all stored positions, so a chunk finds its
// row by a search and no list of hubs is needed. A row is a hub when it has more than 2 * chunk
// edges; its first chunk also takes the edges before the row's first boundary, so every chunk has
// between 1 and 2 * chunk - 1 edges of one row and a place of its own for the partial sum.
#pragma once

#include "device/edges.cuh"
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

// Bytes of the partial sums of all chunks; the counts of kept edges follow them.
template <typename T>
int64_t partial_bytes(const TileShape& shape, int64_t chunks) {
  return chunks * shape.tiles * shape.lanes * kItems<T> * static_cast<int64_t>(sizeof(acc_t<T>));
}

template <typename T>
int64_t split_workspace(const TileShape& shape, int64_t nnz) {
  const int64_t chunks = shape.tiles == 0 ? 0 : chunk_count(nnz);
  return partial_bytes<T>(shape, chunks) + chunks * static_cast<int64_t>(sizeof(int64_t));
}

// The split of a launch with `warps` warps a block; without a workspace no row is split.
template <typename T>
HubSplit<acc_t<T>> make_split(const TileShape& shape, int64_t nnz, int64_t warps, void* workspace) {
  const int64_t chunks = workspace == nullptr || shape.tiles == 0 ? 0 : chunk_count(nnz);
  void* kept = static_cast<char*>(workspace) + partial_bytes<T>(shape, chunks);
  return {chunk_edges(nnz), chunks, ceil_div(chunks, warps), static_cast<acc_t<T>*>(workspace),
          static_cast<int64_t*>(kept)};
}

// Edges [begin, end) of `row`: all of them, or those of chunk `chunk` of a hub. Row -1: nothing.
struct Span {
  int64_t row;
  int64_t begin;
  int64_t end;
  int64_t chunk;  // -1: the whole row
};

// The hub row that holds the boundary of `chunk`, whole; row -1 when the row there is no hub. The
// warp searches together.
template <typename Csr, typename Acc>
__device__ __forceinline__ Span hub_at(const Csr& csr, const HubSplit<Acc>& split, int64_t chunk) {
  if (chunk >= split.chunks) return {-1, 0, 0, -1};
  const int64_t row = warp_row_of(csr.rowptr, 0, csr.num_rows, chunk * split.chunk);
  const int64_t begin = csr.rowptr[row];
  const int64_t end = csr.rowptr[row + 1];
  return {split.is_hub(end - begin) ? row : -1, begin, end, -1};
}

template <typename Csr, typename Acc>
__device__ __forceinline__ Span chunk_span(const Csr& csr, const HubSplit<Acc>& split,
                                           int64_t chunk) {
  Span span = hub_at(csr, split, chunk);
  const int64_t boundary = chunk * split.chunk;
  if (boundary - span.begin >= split.chunk) span.begin = boundary;
  if (boundary + split.chunk < span.end) span.end = boundary + split.chunk;
  span.chunk = chunk;
  return span;
}

// The whole of `row`; row -1 when it is past the last one or a hub.
template <typename Csr, typename Acc>
__device__ __forceinline__ Span row_span(const Csr& csr, const HubSplit<Acc>& split, int64_t row) {
  if (row >= csr.num_rows) return {-1, 0, 0, -1};
  const int64_t begin = csr.rowptr[row];
  const int64_t end = csr.rowptr[row + 1];
  return {split.is_hub(end - begin) ? -1 : row, begin, end, -1};
}

// The whole of the hub whose first chunk is `chunk`; row -1 when there is none.
template <typename Csr, typename Acc>
__device__ __forceinline__ Span hub_from(const Csr& csr, const HubSplit<Acc>& split,
                                         int64_t chunk) {
  Span hub = hub_at(csr, split, chunk);
  if (hub.row >= 0 && chunk * split.chunk - hub.begin >= split.chunk) hub.row = -1;
  return hub;
}

// Where the lane group of this lane keeps its part of a chunk's sums over tile `t`.
template <typename T>
__device__ __forceinline__ acc_t<T>* partial_sums(const HubSplit<acc_t<T>>& split,
                                                  const TileShape& shape, int64_t chunk,
                                                  int64_t t) {
  const int64_t lane = threadIdx.x % shape.lanes;
  return split.partial +
         ((chunk * shape.tiles + t) * shape.lanes + lane) * static_cast<int64_t>(kItems<T>);
}

// Kept edges of chunks [chunk, end).
template <typename Acc>
__device__ __forceinline__ int64_t kept_in_chunks(const HubSplit<Acc>& split, int64_t chunk,
                                                  int64_t end) {
  int64_t kept = 0;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  for (int64_t c = chunk + lane; c < end; c += kWarpSize) kept += split.kept[c];
  return sum_lanes(kept, 1, kWarpSize);
}

// Adds tile `t` of chunks [chunk, end) in an order that their number alone decides; complete in
// every lane group.
template <typename T>
__device__ __forceinline__ void add_chunks(const HubSplit<acc_t<T>>& split, const TileShape& shape,
                                           int64_t t, int64_t chunk, int64_t end, acc_t<T>* sum) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  for (int64_t c = chunk + lane / shape.lanes; c < end; c += kWarpSize / shape.lanes) {
    const acc_t<T>* partial = partial_sums<T>(split, shape, c, t);
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) sum[i] += partial[i];
  }
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) sum[i] = sum_lanes(sum[i], shape.lanes, kWarpSize);
}

}  // namespace sgnn
