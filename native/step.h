// Step: one resolved operation of an eager call, a callable of Arrays. Its shapes and dtypes are
// fixed; who calls it has checked them.
#pragma once

#include <vector>

#include "array.h"
#include "callable.h"

namespace vires {

struct Step;
using StepFunction = PyObject* (*)(const Step& step, Array* const* inputs);

struct OutputType {
  int code;
  bool weak;
  std::vector<int64_t> dims;

  Array* make() const {
    return array_new(code, weak, static_cast<int>(dims.size()), dims.data());
  }
};

struct Step {
  Callable base;
  StepFunction run;
  int input_count;
  std::vector<OutputType>* outputs;
  std::vector<int64_t>* numbers;  // parameters, as `run` knows them
  bool several;                   // gives a tuple
};

bool step_ready(PyObject* module);

}  // namespace vires
