// The extension module vires._native: its functions and types.
#define VIRES_IMPORT_NUMPY
#include "numpy.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "array.h"
#include "blas.h"
#include "compiled_function.h"
#include "call_list_module.h"
#include "compiler_module.h"
#include "context.h"
#include "eager.h"
#include "elementwise_kernel.h"
#include "executable.h"
#include "files.h"
#include "fortran.h"
#include "indexing.h"
#include "operators.h"
#include "plan.h"
#include "pool.h"
#include "program_text.h"
#include "program_types.h"
#include "recorder.h"
#include "reduction.h"
#include "shortcut.h"
#include "source.h"
#include "step.h"
#include "symbols.h"
#include "threads.h"
#include "update.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace vires {
namespace {

// Gives a new reference to nanobind, or the Python exception that is set.
nb::object checked(PyObject* result) {
  if (!result) throw nb::python_error();
  return nb::steal(result);
}

void checked(bool good) {
  if (!good) throw nb::python_error();
}

// For registered callables: None stands for none, on the way in and out.
PyObject* reference(nb::handle callable) {
  return callable.is_none() ? nullptr : Py_NewRef(callable.ptr());
}

nb::object previous(PyObject* stolen) { return stolen ? nb::steal(stolen) : nb::none(); }

Array* live_array(nb::handle object) {
  if (!is_array(object.ptr()))
    throw nb::type_error("needs an Array");
  checked(array_check(as_array(object.ptr())));
  return as_array(object.ptr());
}

nb::object make_from_ndarray(nb::handle source, bool weak, nb::handle dtype, bool share) {
  nb::object values = nb::borrow(source);
  if (!PyArray_Check(source.ptr()))
    values = checked(PyArray_FromAny(source.ptr(), nullptr, 0, 0, 0, nullptr));
  auto* source_array = reinterpret_cast<PyArrayObject*>(values.ptr());
  PyObject* wanted = dtype.is_none() ? as_object(PyArray_DESCR(source_array)) : dtype.ptr();
  nb::object native;
  if (!PyArray_ISNOTSWAPPED(source_array) && dtype.is_none()) {
    native = checked(
        as_object(PyArray_DescrNewByteorder(PyArray_DESCR(source_array), NPY_NATIVE)));
    wanted = native.ptr();
  }
  const int code = code_of(wanted);
  checked(code >= 0);
  if (!PyArray_EquivTypes(PyArray_DESCR(source_array), dtypes[code].descr)) {
    Py_INCREF(dtypes[code].descr);
    values = checked(PyArray_CastToType(source_array, dtypes[code].descr, 0));
    share = true;
  }
  return checked(array_from_ndarray(values.ptr(), code, weak, share));
}

nb::object from_scalar(nb::handle value, int code, bool weak) {
  checked(check_code(code));
  PyObject* array = array_from_scalar(value.ptr(), code, weak);
  if (!array && !PyErr_Occurred())
    PyErr_Format(PyExc_OverflowError,
                 "array: needs a value that fits %S; got %R; try an array of a wider dtype",
                 dtypes[code].object, value.ptr());
  return checked(array);
}

nb::object empty(nb::handle shape, int code, bool weak) {
  checked(check_code(code));
  int64_t dims[kMaxDims];
  const int ndim = parse_shape(shape.ptr(), dims);
  checked(ndim >= 0);
  return checked(as_object(array_new(code, weak, ndim, dims)));
}

// A plain builtin, since pickle looks it up by name.
PyObject* restore(PyObject*, PyObject* args) {
  PyObject* values;
  int code, weak;
  if (!PyArg_ParseTuple(args, "Oip:_restore", &values, &code, &weak) || !check_code(code))
    return nullptr;
  const Owned straight(
      PyArray_FromAny(values, nullptr, 0, 0, NPY_ARRAY_CARRAY_RO, nullptr));
  return straight ? array_from_ndarray(straight.get(), code, weak, false) : nullptr;
}

PyMethodDef plain_functions[] = {
    {"source_line", [](PyObject*, PyObject*) { return source_line(); }, METH_NOARGS,
     "source_line(): the innermost line of the calling stack outside the package, or None."},
    {"call_fortran", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call_fortran)),
     METH_FASTCALL, "call_fortran(address, *args): calls a routine and gives its info."},
    {"call_fortran_stack",
     reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call_fortran_stack)),
     METH_FASTCALL, "call_fortran_stack(infos, address, *args): calls a routine for each info."},
    {"_restore", restore, METH_VARARGS, "_restore(values, code, weak): an Array from a pickle."},
    {}};

void define_arrays(nb::module_& m) {
  m.def("register_dtype", [](int code, nb::handle dtype, int itemsize) {
    checked(register_dtype(code, dtype.ptr(), itemsize));
  }, "code"_a, "dtype"_a, "itemsize"_a);
  m.def("dtype_code", [](nb::handle dtype) {
    const int code = code_of(dtype.ptr());
    checked(code >= 0);
    return code;
  }, "dtype"_a.none());
  m.def("from_numpy", [](nb::handle values, bool weak, nb::handle dtype) {
    return make_from_ndarray(values, weak, dtype, false);
  }, "values"_a, "weak_type"_a = false, "dtype"_a.none() = nb::none());
  m.def("wrap_numpy", [](nb::handle values, bool weak, nb::handle dtype) {
    return make_from_ndarray(values, weak, dtype, true);
  }, "values"_a, "weak_type"_a = false, "dtype"_a.none() = nb::none());
  m.def("from_scalar", from_scalar, "value"_a, "code"_a, "weak"_a = false);
  m.def("empty", empty, "shape"_a, "code"_a, "weak"_a = false);
  m.def("reduce", [](nb::handle array, int kind, uint64_t axes, int code) {
    if (!is_array(array.ptr())) throw nb::type_error("reduce: needs an Array");
    if (kind < 0 || kind > static_cast<int>(Reduce::kXor)) throw nb::value_error("reduce: kind");
    Array* x = as_array(array.ptr());
    return checked(array_reduce(x, static_cast<Reduce>(kind), axes, code < 0 ? x->code : code));
  }, "array"_a, "kind"_a, "axes"_a, "code"_a = -1);
  m.def("set_update_types", [](nb::handle at, nb::handle update) {
    checked(set_update_types(at.ptr(), update.ptr()));
  }, "at"_a, "update"_a);
  m.def("has_position", has_position, "code"_a);
  m.def("has_order", [](int code) {
    const auto known = reinterpret_cast<int32_t (*)(int32_t)>(symbol_table()["vires_sort_has_order"]);
    return known(code) != 0;
  }, "code"_a);
  m.def("writable", [](nb::handle array) {
    return reinterpret_cast<uintptr_t>(live_array(array)->data);
  }, "array"_a);
  m.def("set_aval_factory", [](nb::handle factory) {
    return previous(set_aval_factory(reference(factory)));
  }, "factory"_a.none());
  m.def("set_array_text", [](nb::handle repr, nb::handle str) {
    set_array_text(repr.ptr(), str.ptr());
  }, "repr"_a, "str"_a);
  m.def("set_operators", [](nb::dict callables) {
    return checked(set_operators(callables.ptr()));
  }, "callables"_a);
  m.def("register_operand_type", [](nb::handle type) {
    checked(register_operand_type(type.ptr()));
  }, "type"_a);
}

void define_machine(nb::module_& m) {
  m.def("memory_stats", [] {
    const pool::Stats stats = pool::stats();
    nb::dict result;
    result["live"] = stats.live;
    result["cached"] = stats.cached;
    result["peak"] = stats.peak;
    return result;
  });
  m.def("trim", pool::trim);
  m.def("num_threads", threads::count);
  m.def("set_num_threads", [](int count) {
    if (count < 1) {
      PyErr_Format(PyExc_ValueError, "set_num_threads: needs at least 1 thread; got %d", count);
      throw nb::python_error();
    }
    threads::set_count(count);
  }, "count"_a);
  m.def("set_blas", [](const std::vector<uintptr_t>& addresses) {
    if (blas::set(addresses)) return;
    PyErr_Format(PyExc_ValueError, "set_blas: needs %d addresses; got %zu",
                 blas::kRoutines * blas::kDtypes, addresses.size());
    throw nb::python_error();
  }, "addresses"_a);
  m.def("read_file", [](nb::handle name) -> nb::object {
    const std::optional<std::string> path = file_name(name.ptr());
    checked(path.has_value());
    std::optional<std::string> data;
    {
      const nb::gil_scoped_release release;
      data = read_file(path->c_str());
    }
    return data ? nb::object(nb::bytes(data->data(), data->size())) : nb::none();
  }, "path"_a);
  m.def("symbols", [] {
    nb::dict result;
    for (const auto& [name, address] : symbol_table()) result[name.c_str()] = address;
    return result;
  });
}

void define_context(nb::module_& m) {
  m.def("set_tracing", [](bool flag) { return std::exchange(tracing, flag); }, "flag"_a);
  m.def("tracing", [] { return tracing; });
  m.def("set_context", [](int64_t number, bool wide, bool truncates) {
    const Context before = std::exchange(context, {number, wide, truncates});
    return nb::make_tuple(before.number, before.wide, before.truncates);
  }, "number"_a, "wide"_a = false, "truncates"_a = false);
  m.def("set_converter", [](nb::handle function) {
    return previous(std::exchange(converter, reference(function)));
  }, "function"_a.none());
  m.def("set_source", [](nb::handle line, nb::handle scope, nb::handle prefix) {
    checked(set_source(line.ptr(), scope.ptr(), prefix.ptr()));
  }, "line"_a, "scope"_a, "prefix"_a);
  m.def("set_thread", [](nb::handle thread) { set_thread(thread.ptr()); }, "thread"_a);
  m.def("set_program_types", [](nb::handle aval, nb::handle tracer, nb::handle variable,
                                nb::handle literal, nb::handle equation, nb::handle program) {
    checked(set_program_types(aval.ptr(), tracer.ptr(), variable.ptr(), literal.ptr(),
                              equation.ptr(), program.ptr()));
  }, "aval"_a, "tracer"_a, "variable"_a, "literal"_a, "equation"_a, "program"_a);
  m.def("program_text", [](nb::handle program, nb::handle constants, nb::handle text,
                           nb::handle as_array) {
    return checked(program_text(program.ptr(), constants.ptr(), text.ptr(), as_array.ptr()));
  }, "program"_a, "constants"_a.none(), "text"_a, "as_array"_a);
  m.def("set_flattener", [](nb::handle function) {
    return previous(std::exchange(flattener, reference(function)));
  }, "function"_a.none());
}

bool import_numpy() {
  import_array1(false);
  return true;
}

}  // namespace
}  // namespace vires

NB_MODULE(_native, m) {
  using namespace vires;
  // Programs that are kept for the next call live as long as the process.
  nb::set_leak_warnings(false);
  m.doc() = "Arrays, memory, threads and the call path of compiled functions.";
  checked(import_numpy());
  pool::initialise();
  threads::initialise();
  checked(buffer_ready());
  checked(array_ready(m.ptr()));
  checked(indexing_ready());
  checked(executable_ready(m.ptr()));
  checked(compiled_function_ready(m.ptr()));
  checked(elementwise_kernel_ready(m.ptr()));
  checked(eager_ready(m.ptr()));
  checked(step_ready(m.ptr()));
  checked(plan_ready(m.ptr()));
  checked(shortcut_ready(m.ptr()));
  checked(update_ready(m.ptr()));
  checked(recorder_ready(m.ptr()));
  checked(PyModule_AddFunctions(m.ptr(), plain_functions) == 0);
  define_arrays(m);
  define_context(m);
  define_machine(m);
  define_compiler(m);
  define_call_list(m);
}
