// A test program in three names: SGNN_TEST registers a test, CHECK records one expectation, and
// check::Context says which case of a sweep is running.
#pragma once

#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

namespace check {

struct Test {
  const char* name;
  void (*run)();
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

inline bool add(const char* name, void (*run)()) {
  tests().push_back({name, run});
  return true;
}

inline long passed = 0;
inline long failed = 0;
inline std::string context;

// Names the running case for as long as it lives.
class Context {
 public:
  explicit Context(std::string text) : outer_(context) { context += " " + text; }
  ~Context() { context = outer_; }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

 private:
  std::string outer_;
};

inline void expect(bool holds, const std::string& what, const char* file, int line) {
  if (holds) {
    ++passed;
    return;
  }
  constexpr long kMaxReports = 20;
  if (++failed > kMaxReports) return;
  printf("FAILED %s:%d:%s: %s\n", file, line, context.c_str(), what.c_str());
}

// Runs the tests whose name contains the first argument, all without one. Zero when none failed.
inline int run(int argc, char** argv) {
  for (const Test& test : tests()) {
    if (argc > 1 && strstr(test.name, argv[1]) == nullptr) continue;
    const long passed_before = passed;
    const long failed_before = failed;
    const Context name(test.name);
    try {
      test.run();
    } catch (const std::exception& error) {
      expect(false, error.what(), test.name, 0);
    }
    printf("%-40s %6ld passed, %ld failed\n", test.name, passed - passed_before,
           failed - failed_before);
    fflush(stdout);
  }
  printf("%ld passed, %ld failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace check

#define SGNN_TEST(name)                                      \
  static void name();                                        \
  static const bool name##_added = check::add(#name, &name); \
  static void name()

#define CHECK(condition) check::expect((condition), #condition, __FILE__, __LINE__)
#define CHECK_TEXT(condition, text) check::expect((condition), (text), __FILE__, __LINE__)
