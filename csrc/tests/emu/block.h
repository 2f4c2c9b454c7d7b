// One emulated thread block: a fiber per CUDA thread and the rendezvous of its barriers.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "emu/fiber.h"

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

// CUDA's built-in variables, set whenever a fiber is resumed.
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emu {

inline constexpr int kWarp = 32;
inline constexpr size_t kSharedLimit = 48 * 1024;

// Where threads meet: a block barrier or one warp collective of one lane mask. Slots are double
// buffered by generation, so a fast lane cannot overwrite a value that a slow lane has yet to read.
struct Rendezvous {
  int expected = 0;
  int arrived = 0;
  uint64_t generation = 0;
  const char* operation = nullptr;
  int line = 0;
  uint64_t slots[2][kWarp] = {};
};

struct Thread {
  Fiber fiber;
  dim3 index;
  const Rendezvous* waits_for = nullptr;
  uint64_t waits_in = 0;
  const char* operation = nullptr;
  int line = 0;
  bool done = false;

  bool runnable() const {
    return !done && (waits_for == nullptr || waits_for->generation != waits_in);
  }
};

class Block {
 public:
  static Block& instance() {
    static Block block;
    return block;
  }

  // Threads are visited in descending order when set: a result that depends on the order of the
  // threads betrays a missing barrier.
  bool reverse = false;

  // Runs `body` once per thread; throws std::runtime_error when the threads cannot all finish. A
  // warp runs as far as it can before the next one starts: the schedule furthest from lock-step.
  void run(dim3 size, const std::function<void()>& body) {
    const int count = static_cast<int>(size.x * size.y * size.z);
    const int warps = (count + kWarp - 1) / kWarp;
    prepare(size, count);
    body_ = &body;
    unfinished_ = count;
    while (unfinished_ > 0) {
      bool progress = false;
      for (int i = 0; i < warps; ++i) {
        const int first = (reverse ? warps - 1 - i : i) * kWarp;
        const int last = first + kWarp < count ? first + kWarp : count;
        while (run_lanes(first, last)) progress = true;
      }
      if (!progress) abandon(describe_deadlock(count));
    }
  }

  // Block-wide memory of one SGNN_SHARED declaration, poisoned when the block starts.
  void* shared(const void* declaration, size_t bytes) {
    auto found = shared_.find(declaration);
    if (found != shared_.end()) return found->second.get();
    shared_bytes_ += bytes;
    if (shared_bytes_ > kSharedLimit) fail("the block declares more than 48 KiB of shared memory");
    std::unique_ptr<char[]> memory(new char[bytes]);
    memset(memory.get(), 0xff, bytes);
    return (shared_[declaration] = std::move(memory)).get();
  }

  void sync_block(int line) { meet(barrier_, "__syncthreads", line); }

  // Deposits `value` for this lane and returns the slots of all lanes once the lanes of `mask` met.
  const uint64_t* exchange(unsigned mask, uint64_t value, const char* operation, int line) {
    if ((mask >> lane() & 1u) == 0)
      fail(std::string(operation) + ": the caller is not in its mask");
    Rendezvous& place = warp_place(mask);
    uint64_t* slots = place.slots[place.generation & 1];
    slots[lane()] = value;
    meet(place, operation, line);
    return slots;
  }

  unsigned lane() const { return linear_ % kWarp; }

  // Ends the launch with an error; called on a fiber, which never runs again: the message is freed
  // here, because nothing on the fiber's stack will be.
  void fail(std::string&& message) {
    error_ = "emulated kernel: " + message + where(*current_);
    std::string().swap(message);
    current_->fiber.leave(true);
  }

 private:
  static void thread_main() {
    Block& block = instance();
    Thread& self = *block.current_;
    self.fiber.entered();
    (*block.body_)();
    self.done = true;
    self.fiber.leave(true);
  }

  void prepare(dim3 size, int count) {
    while (static_cast<int>(threads_.size()) < count) threads_.emplace_back();
    error_.clear();
    shared_.clear();
    shared_bytes_ = 0;
    barrier_ = Rendezvous{};
    barrier_.expected = count;
    warps_.clear();
    warps_.resize((count + kWarp - 1) / kWarp);
    for (int i = 0; i < count; ++i) {
      Thread& thread = threads_[i];
      const unsigned linear = static_cast<unsigned>(i);
      thread.index = dim3(linear % size.x, linear / size.x % size.y, linear / (size.x * size.y));
      thread.waits_for = nullptr;
      thread.done = false;
      thread.fiber.reset(thread_main);
    }
  }

  // Resumes each thread of [first, last) that can go on; false when none can.
  bool run_lanes(int first, int last) {
    bool progress = false;
    for (int i = first; i < last; ++i) {
      Thread& thread = threads_[reverse ? first + last - 1 - i : i];
      if (!thread.runnable()) continue;
      progress = true;
      resume(thread);
      if (!error_.empty()) abandon(error_);
      if (thread.done) --unfinished_;
    }
    return progress;
  }

  void resume(Thread& thread) {
    current_ = &thread;
    threadIdx = thread.index;
    linear_ = (thread.index.z * blockDim.y + thread.index.y) * blockDim.x + thread.index.x;
    thread.waits_for = nullptr;
    thread.fiber.resume();
  }

  Rendezvous& warp_place(unsigned mask) {
    auto& places = warps_[linear_ / kWarp];
    for (auto& place : places) {
      if (place.first == mask) return place.second;
    }
    places.emplace_back(mask, Rendezvous{});
    places.back().second.expected = __builtin_popcount(mask);
    return places.back().second;
  }

  void meet(Rendezvous& place, const char* operation, int line) {
    Thread& self = *current_;
    self.operation = operation;
    self.line = line;
    if (place.arrived == 0) {
      place.operation = operation;
      place.line = line;
    } else if (strcmp(place.operation, operation) != 0 || place.line != line) {
      fail("divergent barrier: others are at " + std::string(place.operation) + " in line " +
           std::to_string(place.line));
    }
    if (++place.arrived == place.expected) {
      place.arrived = 0;
      ++place.generation;
      return;
    }
    self.waits_for = &place;
    self.waits_in = place.generation;
    self.fiber.leave(false);
  }

  // Unfinished fibers hold live frames: their stacks are given up with them.
  [[noreturn]] void abandon(const std::string& message) {
    const std::string copy = message;
    threads_.clear();
    throw std::runtime_error(copy);
  }

  static std::string where(const Thread& thread) {
    const dim3 t = thread.index;
    std::string text = " [block " + std::to_string(blockIdx.x) + "," + std::to_string(blockIdx.y) +
                       " thread " + std::to_string(t.x) + "," + std::to_string(t.y);
    if (thread.done) return text + " has finished]";
    if (thread.operation == nullptr) return text + "]";
    return text + " at " + thread.operation + " in line " + std::to_string(thread.line) + "]";
  }

  std::string describe_deadlock(int count) const {
    std::string text = "emulated kernel: missing or divergent barrier:";
    std::string last;
    for (int i = 0; i < count; ++i) {
      const Thread& thread = threads_[i];
      const std::string state =
          thread.done ? "done" : thread.operation + std::to_string(thread.line);
      if (state != last) text += where(thread);
      last = state;
    }
    return text;
  }

  std::deque<Thread> threads_;
  std::vector<std::deque<std::pair<unsigned, Rendezvous>>> warps_;
  Rendezvous barrier_;
  std::map<const void*, std::unique_ptr<char[]>> shared_;
  size_t shared_bytes_ = 0;
  const std::function<void()>* body_ = nullptr;
  Thread* current_ = nullptr;
  int unfinished_ = 0;
  unsigned linear_ = 0;
  std::string error_;
};

}  // namespace emu
