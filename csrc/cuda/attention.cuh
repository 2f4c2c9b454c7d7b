// What the fused attention kernels share. A warp takes one head of one row, or of one chunk of a
// hub row, and stages 32 edges at a time: a lane computes what one edge needs, once. Then the warp
// is cut into groups of `lanes` lanes, which keep a tile of the head's columns in registers; group
// g takes the staged edges g, g + groups, ... Groups are added in a fixed tree, the chunks of a hub
// in a fixed order: the result never depends on scheduling.
#pragma once

#include "device/any_index.cuh"
#include "device/softmax.cuh"
#include "device/tile.cuh"
#include "sgnn/attention.h"
#include "spmm_split.cuh"

namespace sgnn {

inline constexpr int kAttentionThreads = 128;
inline constexpr int kAttentionWarps = kAttentionThreads / kWarpSize;
inline constexpr int kAttentionBlocks = 4;  // resident, asked of the compiler

// Gathered rows in flight per lane.
template <bool kAligned>
inline constexpr int kAttentionSteps = kAligned ? 4 : 1;

template <typename T>
struct AttentionParams {
  using Acc = acc_t<T>;
  AnyCsr csr;
  int64_t heads;
  int64_t width;        // D, of one head
  TileShape shape;      // of one head's columns
  HubSplit<Acc> split;  // its chunks have a record per head
  int64_t record;       // elements of a record
  const uint8_t* bits;
  Acc slope;
  uint32_t threshold;
  Acc dropout_scale;
  const int64_t* seed;
};

// A record holds four numbers of a chunk and head, then its sums, D elements each.
inline constexpr int64_t kRecordHead = 4;
enum RecordField { kRecordMax, kRecordSum, kRecordPositive, kRecordKept };

template <typename T>
__device__ __forceinline__ acc_t<T>* record_of(const AttentionParams<T>& p, int64_t chunk,
                                               int64_t head) {
  return p.split.partial + (chunk * p.heads + head) * p.record;
}

// The warp's number among those of blocks [first_block, ...).
__device__ __forceinline__ int64_t attention_warp(int64_t first_block) {
  return (static_cast<int64_t>(blockIdx.x) - first_block) * kAttentionWarps +
         threadIdx.x / kWarpSize;
}

// The edges and the head of this warp: chunks of hubs come first, then the other rows.
template <typename T>
__device__ __forceinline__ Span span_of_warp(const AttentionParams<T>& p, int64_t* head) {
  const bool chunked = static_cast<int64_t>(blockIdx.x) < p.split.blocks;
  const int64_t warp = attention_warp(chunked ? 0 : p.split.blocks);
  *head = warp % p.heads;
  const int64_t place = warp / p.heads;
  return chunked ? chunk_span(p.csr, p.split, place) : row_span(p.csr, p.split, place);
}

// A stored position as its lane sees it.
struct LaneEdge {
  int64_t id;
  int64_t col;  // 0 unless kept
  bool valid;   // inside the row
  bool kept;
};

template <typename T>
__device__ __forceinline__ LaneEdge lane_edge(const AttentionParams<T>& p, int64_t position,
                                              int64_t end) {
  LaneEdge edge = {0, 0, position < end, false};
  if (edge.valid) edge.id = p.csr.value_index(position);
  edge.kept = edge.valid && (p.bits == nullptr || test_bit(p.bits, edge.id));
  if (edge.kept) edge.col = p.csr.col[position];
  return edge;
}

// What dropout multiplies the weight of edge `id` and `head` with.
template <typename T>
__device__ __forceinline__ acc_t<T> dropout_factor(const AttentionParams<T>& p, int64_t id,
                                                   int64_t head) {
  if (p.threshold == kKeepAll) return acc_t<T>(1);
  const bool keep = dropout_keeps(static_cast<uint64_t>(*p.seed), id * p.heads + head, p.threshold);
  return keep ? p.dropout_scale : acc_t<T>(0);
}

template <typename Acc>
__device__ __forceinline__ Acc leaky(Acc value, Acc slope) {
  return value > Acc(0) ? value : slope * value;
}

template <bool kAligned, typename T>
__device__ __forceinline__ Tile<T, kAligned> attention_tile(const AttentionParams<T>& p,
                                                            int64_t t) {
  const int lane = static_cast<int>(threadIdx.x % kWarpSize) % p.shape.lanes;
  return Tile<T, kAligned>(t * p.shape.columns, lane, p.shape.lanes, p.width);
}

// The place of this lane's edge among the `votes` for kept ones.
__device__ __forceinline__ int kept_slot(unsigned votes) {
  return __popc(votes & ((1u << (threadIdx.x % kWarpSize)) - 1u));
}

// Writes a tile of one row and head, times `factor`.
template <typename T, bool kAligned>
__device__ __forceinline__ void write_head(const AttentionParams<T>& p, int64_t row, int64_t head,
                                           const Tile<T, kAligned>& tile, const acc_t<T>* sum,
                                           acc_t<T> factor, T* out) {
  if (static_cast<int>(threadIdx.x) % kWarpSize >= p.shape.lanes) return;
  Pack<T> pack;
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) pack.item[i] = from_acc<T>(sum[i] * factor);
  tile.store(out + (row * p.heads + head) * p.width, pack);
}

// Writes a tile of a record's sums; `sums` is where they begin.
template <typename T, bool kAligned>
__device__ __forceinline__ void write_record(const AttentionParams<T>& p,
                                             const Tile<T, kAligned>& tile, const acc_t<T>* sum,
                                             acc_t<T>* sums) {
  if (static_cast<int>(threadIdx.x) % kWarpSize >= p.shape.lanes) return;
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    if (tile.inside(i)) sums[tile.column(i)] = sum[i];
  }
}

// Adds the lane groups' parts; complete in every group.
template <typename T>
__device__ __forceinline__ void add_groups(const AttentionParams<T>& p, acc_t<T>* sum) {
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) sum[i] = sum_lanes(sum[i], p.shape.lanes, kWarpSize);
}

// The hub of a warp of the kernel that merges chunks.
struct HubOfWarp {
  int64_t row;  // -1: none
  int64_t head;
  int64_t chunk;  // [chunk, end)
  int64_t end;
};

template <typename T>
__device__ __forceinline__ HubOfWarp hub_of_warp(const AttentionParams<T>& p) {
  const int64_t warp = attention_warp(0);
  const int64_t chunk = warp / p.heads;
  const Span hub = hub_from(p.csr, p.split, chunk);
  return {hub.row, warp % p.heads, chunk, ceil_div(hub.end, p.split.chunk)};
}

// Adds the sums at `offset` of a hub's records, each times factor(record), in an order that their
// number alone decides; complete in every lane group.
template <typename T, bool kAligned, typename Factor>
__device__ __forceinline__ void add_records(const AttentionParams<T>& p, const HubOfWarp& hub,
                                            const Tile<T, kAligned>& tile, int64_t offset,
                                            Factor&& factor, acc_t<T>* sum) {
  const int lanes = p.shape.lanes;
  const int group = static_cast<int>(threadIdx.x % kWarpSize) / lanes;
#pragma unroll 1
  for (int64_t c = hub.chunk + group; c < hub.end; c += kWarpSize / lanes) {
    const acc_t<T>* record = record_of(p, c, hub.head);
    const acc_t<T> scale = factor(record);
#pragma unroll
    for (int i = 0; i < kItems<T>; ++i) {
      if (tile.inside(i)) sum[i] += scale * record[offset + tile.column(i)];
    }
  }
  add_groups(p, sum);
}

// Writes the sums of a hub's records to `out`.
template <bool kAligned, typename T>
__device__ __forceinline__ void write_hub(const AttentionParams<T>& p, const HubOfWarp& hub,
                                          T* out) {
  for (int64_t t = blockIdx.y; t == 0 || t < p.shape.tiles; t += gridDim.y) {
    const Tile<T, kAligned> tile = attention_tile<kAligned>(p, t);
    acc_t<T> sum[kItems<T>] = {};
    add_records(p, hub, tile, kRecordHead, [](const acc_t<T>*) { return acc_t<T>(1); }, sum);
    write_head(p, hub.row, hub.head, tile, sum, acc_t<T>(1), out);
  }
}

// Everything of `params` that all attention operators share. A record of a chunk has `sums` sums.
template <typename T>
void fill_attention(AttentionParams<T>& params, const AttentionInputs& args, int64_t sums,
                    void* workspace) {
  using Acc = acc_t<T>;
  const int64_t chunks = workspace == nullptr ? 0 : chunk_count(args.csr.nnz);
  params.csr = any_csr(args.csr);
  params.heads = args.heads;
  params.width = args.width;
  params.shape = tile_shape<T>(args.width);
  params.split = {chunk_edges(args.csr.nnz), chunks, ceil_div(chunks * args.heads, kAttentionWarps),
                  static_cast<Acc*>(workspace), nullptr};
  params.record = kRecordHead + sums * args.width;
  params.bits = args.bits;
  params.slope = static_cast<Acc>(args.negative_slope);
  params.threshold = args.dropout_threshold;
  params.dropout_scale = dropout_scale<Acc>(args.dropout_threshold);
  params.seed = args.seed;
}

// True when every row and head of contiguous `data` can be moved in 16-byte accesses.
template <typename T>
bool heads_aligned(const void* data, int64_t width) {
  return rows_aligned<T>(data, width, width);
}

// Bytes of the records of all chunks.
inline int64_t attention_workspace(const AttentionInputs& args, int64_t sums) {
  const int64_t bytes = args.dtype == DType::kFloat64 ? 8 : 4;
  return chunk_count(args.csr.nnz) * args.heads * (kRecordHead + sums * args.width) * bytes;
}

// Blocks of a launch with a warp per chunk and head, then per row and head.
template <typename T>
dim3 attention_grid(const AttentionParams<T>& params) {
  const int64_t rows = ceil_div(params.csr.num_rows * params.heads, kAttentionWarps);
  return dim3(static_cast<unsigned>(params.split.blocks + rows));
}

// Blocks of a launch with a warp per chunk, head and tile.
template <typename T>
dim3 attention_hub_grid(const AttentionParams<T>& params) {
  const int64_t tiles = params.shape.tiles < 1 ? 1 : params.shape.tiles;
  return dim3(static_cast<unsigned>(params.split.blocks),
              static_cast<unsigned>(tiles < kMaxGridY ? tiles : kMaxGridY));
}

}  // namespace sgnn
