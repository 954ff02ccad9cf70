// What Python sees of the compiler and the loader.
#pragma once

#include <nanobind/nanobind.h>

namespace vires {

void define_compiler(nanobind::module_& module);

}  // namespace vires
