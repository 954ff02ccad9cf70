// The call lists of the native core, for Python.
#pragma once

#include <nanobind/nanobind.h>

namespace vires {

void define_call_list(nanobind::module_& m);

}  // namespace vires
