// vires._native.Executable: compiled code with the types of its inputs and outputs.
#pragma once

#include <vector>

#include "array.h"
#include "call.h"

namespace vires {

class CallList;

struct InputSpec {
  int code;
  std::vector<int64_t> dims;
  int64_t nbytes;
  bool donated;  // the user gave it away: it is deleted after the call
};

struct OutputSpec {
  int code;
  bool weak;
  std::vector<int64_t> dims;
  int64_t nbytes;
  int donor;     // input whose memory it may take, or -1
  int input;     // input that it is, or -1
  int constant;  // constant that it is, or -1
};

struct Program {
  // Machine code, or a list of calls. `keepalive` keeps either.
  int32_t (*entry)(void**, Runtime*);
  const CallList* calls;
  Owned keepalive, on_error;
  std::vector<Owned> replaced;  // what kept earlier code alive
  std::vector<Owned> constants;
  std::vector<InputSpec> inputs;
  std::vector<OutputSpec> outputs;
  int64_t scratch_bytes;
  std::vector<HostFunction> host_functions;  // owns a reference to each
  bool heavy;
  bool donates;
  // Which of the flat dynamic arguments are inputs; used when `selects`.
  std::vector<int> kept;
  bool selects = false;
  Owned skeleton, unflatten;
  bool builtin_tree = false;
};

struct Executable {
  PyObject_HEAD
  PyObject* dict;
  PyObject* weakrefs;
  Program* program;
};

extern PyTypeObject* executable_type;
bool executable_ready(PyObject* module);

inline bool is_executable(PyObject* object) {
  return PyObject_TypeCheck(object, executable_type);
}

// Runs on arrays of the right types; results[k] receives a new reference for each output. A true
// unique[j] (may be null): nobody else holds input j. False with an exception.
bool run_program(const Program& program, PyObject* const* inputs, const bool* unique,
                 PyObject** results);

// False, with TypeError, when the arrays do not have the types of the program's inputs.
bool check_inputs(const Program& program, PyObject* const* inputs, size_t count);

// Builds the output of the function from its leaves (borrowed).
PyObject* build_output(const Program& program, PyObject** leaves);

}  // namespace vires
