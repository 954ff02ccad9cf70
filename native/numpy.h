// NumPy's C interface; module.cpp alone defines VIRES_IMPORT_NUMPY and fills the table.
#pragma once

#include "common.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL vires_numpy_table
#ifndef VIRES_IMPORT_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>
