// Calls of Fortran routines, those of LAPACK and BLAS, by address.
#pragma once

#include "common.h"

namespace vires {

// call_fortran(address, *args): strings are option letters, ints are passed by reference, ndarrays
// by the address of their data; the last argument is info, which is the result.
PyObject* call_fortran(PyObject* module, PyObject* const* args, Py_ssize_t number);

// call_fortran_stack(infos, address, *args): a call for each element of the int32 array infos. An
// array in a tuple of one is a stack, of which each call gets its own part; other arguments are the
// same for all calls.
PyObject* call_fortran_stack(PyObject* module, PyObject* const* args, Py_ssize_t number);

}  // namespace vires
