// Calls of Fortran routines, those of LAPACK and BLAS, by address.
#pragma once

#include "common.h"

namespace vires {

// call_fortran(address, *args): strings are option letters, ints are passed by reference, ndarrays
// by the address of their data; the last argument is info, which is the result.
PyObject* call_fortran(PyObject* module, PyObject* const* args, Py_ssize_t count);

}  // namespace vires
