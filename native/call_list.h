// A program as a list of calls: no machine code but that of its kernels.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include <Python.h>

#include "runtime.h"

namespace vires {

// What a program without loops around its steps does: it calls kernels, routines of the core and
// functions on the host, one after the other. The list does what an entry in machine code would do,
// and needs no compiler.
//
// It is given as numbers (see `Reader` in call_list.cpp; the engine's call_list.py writes them).
class CallList {
 public:
  // Operands of a call, and functions that are called for a task, at most.
  static constexpr size_t kMostOperands = 128, kMostFunctions = 2;

  // Tables of integers that operands refer to: bytes of an element, and the elements.
  struct Table {
    int64_t itemsize;
    std::vector<int64_t> values;
  };

  // `slots` of the caller's table of buffers; `keeps` one more for the runtime, where kernels look
  // for it. Throws std::invalid_argument for what is no list.
  CallList(int64_t slots, bool keeps, const std::vector<Table>& tables,
           const std::vector<int64_t>& words, const std::vector<uintptr_t>& functions);
  CallList(const CallList&) = delete;
  CallList& operator=(const CallList&) = delete;

  // As an entry does (runtime.h).
  int32_t run(void** buffers, Runtime* runtime) const;

 private:
  // An address: that in a slot, and so many bytes after it.
  struct Place {
    int64_t slot, offset;
    char* in(void* const* frame) const { return static_cast<char*>(frame[slot]) + offset; }
  };
  enum class Kind : int64_t { kNumber, kTable, kPlace, kPlaces, kTask, kFrame, kRuntime };
  struct Operand {
    Kind kind;
    int64_t number;
    Place place;
    size_t first, count;  // of several places, among all
  };
  struct Function {
    uintptr_t address;
    std::vector<Operand> operands;
    std::vector<size_t> tasks;  // operands that are the number of the task
    int64_t failure;            // where a result other than 0 is an error; -1: nowhere
  };
  struct Tasks {
    int64_t count;
    bool threads;
    std::vector<Function> functions;
    size_t pointers;  // in tables of places
  };
  struct Copy {
    Place target, source;
    size_t bytes;
  };
  struct Host {
    int64_t number;
    std::vector<Place> places;
  };
  enum class Op : int64_t { kTasks, kCopy, kHost, kCheck, kBranch };
  struct Step {
    Op op;
    size_t index;  // among those of its kind
  };
  using Steps = std::vector<Step>;
  struct Check {
    Place condition, position, shown;
    int64_t failure;
    Steps otherwise;  // compute what the error shows
  };
  struct Branch {
    Place index;
    int64_t itemsize;
    bool is_signed;
    std::vector<Steps> cases;
  };
  struct Prepared;
  class Reader;

  int32_t perform(const Steps& steps, void** frame, Runtime* runtime) const;
  int32_t perform(const Tasks& tasks, void** frame, Runtime* runtime) const;
  const Steps& chosen(const Branch& branch, void* const* frame) const;

  size_t slots_;
  bool keeps_;
  std::deque<std::vector<char>> tables_;
  std::vector<Place> places_;
  // Boxes do not move: a step inside another is read while that one is.
  std::deque<Tasks> tasks_;
  std::deque<Copy> copies_;
  std::deque<Host> hosts_;
  std::deque<Check> checks_;
  std::deque<Branch> branches_;
  Steps steps_;
};

// The list in a Python object of that type; null in any other object.
const CallList* call_list_in(PyObject* object);

}  // namespace vires
