// How a CPU kernel of several phases is given threads: the kernel cuts a phase into parts, the
// caller runs them.
#pragma once

#include <cstdint>
#include <functional>

namespace sgnn {

using PartBody = std::function<void(int64_t part)>;

// `run(parts, body)` calls body(part) for every part in [0, parts), each exactly once, in any order
// and on at most `threads` threads at a time, and returns when all are done.
struct Executor {
  int64_t threads = 1;
  std::function<void(int64_t parts, const PartBody& body)> run;
};

// Runs the parts one after another on the calling thread.
inline Executor serial_executor() {
  return {1, [](int64_t parts, const PartBody& body) {
            for (int64_t part = 0; part < parts; ++part) body(part);
          }};
}

}  // namespace sgnn
