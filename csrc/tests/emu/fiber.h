// Cooperative fibers: one private stack each, resumed from and yielding to the thread that owns
// them. AddressSanitizer is told about every switch.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

// The hand-written switch avoids two system calls per switch; ucontext works everywhere else.
#if defined(__x86_64__) && !defined(EMU_USE_UCONTEXT)
#define EMU_ASSEMBLY_SWITCH 1
#else
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace emu {

#if defined(EMU_ASSEMBLY_SWITCH)
// Saves the callee-saved registers on the running stack, stores its pointer and continues on `to`.
__attribute__((naked, noinline, no_sanitize("address", "undefined"))) inline void switch_stack(
    void** /*from*/, void* /*to*/) {
  asm("pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15;"
      "movq %rsp, (%rdi); movq %rsi, %rsp;"
      "popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp; ret");
}
#endif

class Fiber {
 public:
  // `entry` must end by calling leave() for the last time and never return.
  using Entry = void (*)();

  Fiber() {
    stack_ = static_cast<char*>(mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (stack_ == MAP_FAILED) abort();
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(stack_, kStackBytes);  // left by a fiber that never returned
#endif
  }
  ~Fiber() { munmap(stack_, kStackBytes); }
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Arms the fiber: the next resume() starts `entry` on an empty stack.
  void reset(Entry entry) {
    fake_stack_ = nullptr;
#if defined(EMU_ASSEMBLY_SWITCH)
    constexpr int kSavedRegisters = 6;
    // A function is entered with its return address on a stack that was 16-byte aligned before it.
    auto* top = reinterpret_cast<void**>(stack_ + kStackBytes) - 1;
    *top = nullptr;
    *--top = reinterpret_cast<void*>(entry);
    stack_pointer_ = top - kSavedRegisters;
#else
    getcontext(&context_);
    context_.uc_stack = {stack_, 0, kStackBytes};
    context_.uc_link = nullptr;
    makecontext(&context_, entry, 0);
#endif
  }

  // Runs the fiber on the calling thread until it leaves.
  void resume() {
#if defined(__SANITIZE_ADDRESS__)
    void* owner_fake = nullptr;
    __sanitizer_start_switch_fiber(&owner_fake, stack_, kStackBytes);
#endif
    swap_in();
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(owner_fake, nullptr, nullptr);
#endif
  }

  // First statement of `entry`.
  void entered() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack_, &owner_bottom_, &owner_size_);
#endif
  }

  // Called on the fiber: returns to resume(); `last` frees what the sanitizer keeps for its stack.
  void leave(bool last) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(last ? nullptr : &fake_stack_, owner_bottom_, owner_size_);
#else
    (void)last;
#endif
    swap_out();
    entered();
  }

 private:
  static constexpr size_t kStackBytes = 128 * 1024;

  __attribute__((noinline)) void swap_in() {
#if defined(EMU_ASSEMBLY_SWITCH)
    switch_stack(&owner_pointer_, stack_pointer_);
#else
    swapcontext(&owner_, &context_);
#endif
  }
  __attribute__((noinline)) void swap_out() {
#if defined(EMU_ASSEMBLY_SWITCH)
    switch_stack(&stack_pointer_, owner_pointer_);
#else
    swapcontext(&context_, &owner_);
#endif
  }

  char* stack_ = nullptr;
  void* fake_stack_ = nullptr;
  const void* owner_bottom_ = nullptr;
  size_t owner_size_ = 0;
#if defined(EMU_ASSEMBLY_SWITCH)
  void* stack_pointer_ = nullptr;
  void* owner_pointer_ = nullptr;
#else
  ucontext_t context_{};
  ucontext_t owner_{};
#endif
};

}  // namespace emu
