// Launches that topk_mask and drop_and_grow share: from keys with a counted first digit to masks.
#pragma once

#include "topk_mask.cuh"

namespace sgnn {

// Blocks of a histogram pass: enough to fill a device, few enough that adding up their histograms
// costs little.
inline constexpr int64_t kMaxHistogramBlocks = 512;

inline int64_t round_up(int64_t bytes) { return ceil_div(bytes, 16) * 16; }

// Places of the parts of the workspace.
template <typename Key>
struct TopkLayout {
  explicit TopkLayout(int64_t total)
      : chunks(ceil_div(total, kTopkChunk)),
        ties_offset(round_up(static_cast<int64_t>(sizeof(TopkState<Key>)))),
        keys_offset(ties_offset + round_up(chunks * static_cast<int64_t>(sizeof(int64_t)))),
        bytes(keys_offset + total * static_cast<int64_t>(sizeof(Key))) {}

  int64_t chunks;
  int64_t ties_offset;
  int64_t keys_offset;
  int64_t bytes;
};

template <typename Key>
struct TopkWorkspace {
  TopkWorkspace(void* memory, int64_t total) : layout(total) {
    char* base = static_cast<char*>(memory);
    state = reinterpret_cast<TopkState<Key>*>(base);
    ties = reinterpret_cast<int64_t*>(base + layout.ties_offset);
    keys = reinterpret_cast<Key*>(base + layout.keys_offset);
  }

  TopkLayout<Key> layout;
  TopkState<Key>* state;
  int64_t* ties;
  Key* keys;
};

inline unsigned histogram_blocks(int64_t count) {
  const int64_t blocks = ceil_div(count, kTopkLoads * kTopkThreads);
  return static_cast<unsigned>(blocks < kMaxHistogramBlocks ? blocks : kMaxHistogramBlocks);
}

template <typename Key>
Digit digit_of_pass(int pass) {
  const int rest = static_cast<int>(sizeof(Key)) * 8 - pass * kDigitBits;
  const int width = rest < kDigitBits ? rest : kDigitBits;
  return {rest - width, width};
}

// Narrows the threshold digit by digit; the first digit of the `total` keys is counted already.
template <typename Key>
void find_threshold(const TopkWorkspace<Key>& work, int64_t total, Stream stream) {
  const dim3 block(kTopkThreads);
  Digit digit = digit_of_pass<Key>(0);
  const auto choose = topk_select_kernel<Key>;
  SGNN_LAUNCH(choose, dim3(1), block, 0, stream, work.state, digit);
  for (int pass = 1; digit.shift > 0; ++pass) {
    digit = digit_of_pass<Key>(pass);
    const auto count = topk_digit_kernel<Key>;
    SGNN_LAUNCH(count, dim3(histogram_blocks(total)), block, 0, stream,
                static_cast<const Key*>(work.keys), total, work.state, digit);
    SGNN_LAUNCH(choose, dim3(1), block, 0, stream, work.state, digit);
  }
}

// Counts the ties before every chunk of keys.
template <typename Key>
void rank_ties(const TopkWorkspace<Key>& work, int64_t total, Stream stream) {
  const dim3 block(kTopkThreads);
  const auto count = topk_ties_kernel<Key>;
  SGNN_LAUNCH(count, dim3(static_cast<unsigned>(work.layout.chunks)), block, 0, stream,
              static_cast<const Key*>(work.keys), total,
              static_cast<const TopkState<Key>*>(work.state), work.ties);
  const auto scan = topk_scan_kernel<int64_t>;
  SGNN_LAUNCH(scan, dim3(1), block, 0, stream, work.ties, work.layout.chunks);
}

// Writes the mask of the positions [begin, end).
template <typename Key>
void write_mask(const TopkWorkspace<Key>& work, int64_t begin, int64_t end, uint8_t* keep,
                Stream stream) {
  const int64_t first_chunk = begin / kTopkChunk;
  const auto blocks = static_cast<unsigned>(ceil_div(end, kTopkChunk) - first_chunk);
  const auto write = topk_write_kernel<Key>;
  SGNN_LAUNCH(write, dim3(blocks), dim3(kTopkThreads), 0, stream,
              static_cast<const Key*>(work.keys), begin, end,
              static_cast<const TopkState<Key>*>(work.state),
              static_cast<const int64_t*>(work.ties), first_chunk, keep);
}

}  // namespace sgnn
