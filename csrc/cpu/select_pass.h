// The passes of an exact selection over consecutive scores of one tensor, compiled once per
// instruction set.
#pragma once

#include <cstdint>

#include "sgnn/types.h"

namespace sgnn::cpu {

// The scores of one tensor that a selection ranks: all of them, or those whose mask byte is set (or
// clear). Their keys are ordered_key(score, magnitude), as 64-bit numbers.
struct SelectScores {
  DType dtype = DType::kFloat32;
  const void* scores = nullptr;
  bool magnitude = false;
  const uint8_t* mask = nullptr;  // null: all take part
  bool mask_value = true;
};

struct Candidate {
  uint64_t key;
  uint8_t* keep;  // its place in the result
};

// Over the scores [begin, end): keep[i] = 1 where the key is above `high`, else 0. Counts those,
// and the keys inside [low, high], which go to `candidates` (room for all of them) unless it is
// null.
struct ScanPass {
  uint64_t low = 0;
  uint64_t high = 0;
  uint8_t* keep = nullptr;  // of the whole tensor
  Candidate* candidates = nullptr;
  int64_t above = 0;   // out
  int64_t inside = 0;  // out
};

// Over the scores [begin, end): keep[i] = 1 where the key is above `threshold`, and for the first
// `ties` keys equal to it, else 0.
struct WritePass {
  uint64_t threshold = 0;
  int64_t ties = 0;         // in, and out: what is left
  uint8_t* keep = nullptr;  // of the whole tensor
};

}  // namespace sgnn::cpu
