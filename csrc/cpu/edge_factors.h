// What an edge's coefficient is the product of.
#pragma once

#include <cstdint>

namespace sgnn::cpu::SGNN_ISA {

// Optional factors of an edge; null pointers stand for 1 and for "kept".
template <typename A>
struct EdgeFactors {
  const A* weight;      // by edge id
  const A* mask;        // by edge id
  const A* column;      // by column
  const uint8_t* bits;  // by edge id

  bool any() const { return weight != nullptr || mask != nullptr || column != nullptr; }
};

}  // namespace sgnn::cpu::SGNN_ISA
