// Test values: exact-size buffers, a small generator, conversions to double that share no code with
// the library, and the one table of tolerances.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include "sgnn/types.h"

namespace test {

using sgnn::acc_t;
using sgnn::BFloat16;
using sgnn::DType;
using sgnn::Half;
using sgnn::IndexType;

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInf = std::numeric_limits<double>::infinity();

// `count` elements that start `offset` elements after a 16-byte boundary and end where the
// allocation ends, so that the address sanitizer sees the first byte read past them.
template <typename T>
class Buffer {
 public:
  explicit Buffer(int64_t count, int64_t offset = 0)
      : memory_(new T[static_cast<size_t>(count + offset)]), count_(count), offset_(offset) {
    memset(static_cast<void*>(memory_.get()), 0xff,
           static_cast<size_t>(count + offset) * sizeof(T));
  }
  T* data() { return memory_.get() + offset_; }
  const T* data() const { return memory_.get() + offset_; }
  T& operator[](int64_t i) { return data()[i]; }
  const T& operator[](int64_t i) const { return data()[i]; }
  int64_t size() const { return count_; }
  bool operator==(const Buffer& other) const {
    return memcmp(data(), other.data(), static_cast<size_t>(count_) * sizeof(T)) == 0;
  }

 private:
  std::unique_ptr<T[]> memory_;
  int64_t count_;
  int64_t offset_;
};

// SplitMix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t bits() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  int64_t below(int64_t bound) {
    return static_cast<int64_t>(bits() % static_cast<uint64_t>(bound));
  }
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(bits() >> 11) / 9007199254740992.0;
  }

 private:
  uint64_t state_;
};

inline void fill_bits(Random& random, Buffer<uint8_t>& bits) {
  for (int64_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<uint8_t>(random.bits());
}

inline bool bit_of(const Buffer<uint8_t>& bits, int64_t i) {
  return (bits[i / 8] >> (i % 8) & 1) != 0;
}

inline double to_double(float value) { return static_cast<double>(value); }
inline double to_double(double value) { return value; }

// The value of sign, exponent and fraction fields, as IEEE 754 defines it.
inline double field_value(unsigned bits, int exponent_bits, int fraction_bits) {
  const int exponent = static_cast<int>(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
  const double fraction = static_cast<double>(bits & ((1u << fraction_bits) - 1u));
  const double sign = (bits >> (exponent_bits + fraction_bits) & 1u) != 0 ? -1.0 : 1.0;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double unit = std::ldexp(1.0, -fraction_bits);
  if (exponent == (1 << exponent_bits) - 1) return fraction != 0 ? kNaN : sign * kInf;
  if (exponent == 0) return sign * std::ldexp(fraction * unit, 1 - bias);
  return sign * std::ldexp(1.0 + fraction * unit, exponent - bias);
}
inline double to_double(Half value) { return field_value(value.bits, 5, 10); }
inline double to_double(BFloat16 value) { return field_value(value.bits, 8, 7); }

template <typename T>
T from_double(double value) {
  return sgnn::from_acc<T>(static_cast<acc_t<T>>(value));
}

template <typename T>
void fill(Random& random, Buffer<T>& values, double low, double high) {
  for (int64_t i = 0; i < values.size(); ++i) {
    values[i] = from_double<T>(random.uniform(low, high));
  }
}

template <typename T>
struct Type;
template <>
struct Type<float> {
  static constexpr DType dtype = DType::kFloat32;
  static constexpr const char* name = "fp32";
  static constexpr double tolerance = 4e-6;
};
template <>
struct Type<double> {
  static constexpr DType dtype = DType::kFloat64;
  static constexpr const char* name = "fp64";
  static constexpr double tolerance = 1e-14;
};
template <>
struct Type<Half> {
  static constexpr DType dtype = DType::kFloat16;
  static constexpr const char* name = "fp16";
  static constexpr double tolerance = 1.2e-3;
};
template <>
struct Type<BFloat16> {
  static constexpr DType dtype = DType::kBFloat16;
  static constexpr const char* name = "bf16";
  static constexpr double tolerance = 8e-3;
};

template <typename Index>
inline constexpr IndexType kIndexType = sizeof(Index) == 4 ? IndexType::kInt32 : IndexType::kInt64;

// True when `value` is `expected` up to `tolerance` times the magnitude of the terms it was summed
// from; non-finite values must agree in kind.
inline bool close(double value, double expected, double magnitude, double tolerance) {
  if (std::isnan(expected)) return std::isnan(value);
  if (std::isinf(expected)) return value == expected;
  return std::fabs(value - expected) <=
         tolerance * (magnitude + std::fabs(expected)) + 1e-7 * tolerance;
}

// Compares a whole result; empty when it agrees, else the first difference.
template <typename Got, typename Expected>
std::string difference(const Got& got, const Expected& expected, const Buffer<double>& magnitude,
                       double tolerance) {
  for (int64_t i = 0; i < got.size(); ++i) {
    const double value = to_double(got[i]);
    const double wanted = to_double(expected[i]);
    if (close(value, wanted, magnitude[i], tolerance)) continue;
    return "element " + std::to_string(i) + ": got " + std::to_string(value) + ", expected " +
           std::to_string(wanted);
  }
  return "";
}

// Calls fn(T{}, Index{}) for every element and index type.
template <typename Fn>
void for_each_type(Fn&& fn) {
  fn(float{}, int32_t{});
  fn(float{}, int64_t{});
  fn(double{}, int32_t{});
  fn(double{}, int64_t{});
  fn(Half{}, int32_t{});
  fn(Half{}, int64_t{});
  fn(BFloat16{}, int32_t{});
  fn(BFloat16{}, int64_t{});
}

}  // namespace test
