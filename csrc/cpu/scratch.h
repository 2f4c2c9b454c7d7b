// Memory of a loop body. Not std::vector: its members would be compiled once per instruction set
// under one name, and the linker would keep any of them.
#pragma once

#include "simd.h"

namespace sgnn::cpu::SGNN_ISA {

template <typename A>
class Scratch {
 public:
  // `count` elements, all zero.
  explicit Scratch(int64_t count) : data_(new A[static_cast<size_t>(count)]()) {}
  ~Scratch() { delete[] data_; }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  A* data() { return data_; }
  const A* data() const { return data_; }
  A& operator[](int64_t i) { return data_[i]; }
  const A& operator[](int64_t i) const { return data_[i]; }

 private:
  A* data_;
};

}  // namespace sgnn::cpu::SGNN_ISA
