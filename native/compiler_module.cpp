#include "compiler_module.h"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>

#include <memory>

#include "compiler.h"
#include "files.h"
#include "loader.h"
#include "processor.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace vires {
namespace {

nb::bytes bytes_of(const compiler::Result& result) {
  if (!result.error.empty()) throw std::runtime_error(result.error);
  return nb::bytes(result.bytes.data(), result.bytes.size());
}

nb::bytes compile(const std::string& text, int level, bool verify, bool assembly) {
  compiler::Result result;
  {
    const nb::gil_scoped_release release;
    result = compiler::compile(text, level, verify,
                               assembly ? compiler::Output::kAssembly : compiler::Output::kObject);
  }
  return bytes_of(result);
}

template <const compiler::Result& (compiler::Job::*get)()>
nb::bytes from_job(compiler::Job& job) {
  const compiler::Result* result;
  {
    const nb::gil_scoped_release release;
    result = &(job.*get)();
  }
  return bytes_of(*result);
}

std::unique_ptr<Image> load(nb::bytes object, nb::dict names) {
  return std::make_unique<Image>(
      std::string_view(object.c_str(), object.size()), [&](const std::string& name) {
        PyObject* address = PyDict_GetItemString(names.ptr(), name.c_str());
        return address ? static_cast<uintptr_t>(PyLong_AsUnsignedLongLong(address)) : 0;
      });
}

}  // namespace

void define_compiler(nb::module_& m) {
  m.def("compiler_start", compiler::start, "path"_a, "ir"_a);
  m.def("compiler_stop", compiler::stop, nb::call_guard<nb::gil_scoped_release>());
  m.def("compiler_host", [] {
    compiler::Host host;
    {
      const nb::gil_scoped_release release;
      host = compiler::host();
    }
    return nb::make_tuple(host.cpu, host.features, host.triple);
  });
  m.def("vector_bytes", processor::vector_bytes);
  m.def("compile", compile, "text"_a, "level"_a, "verify"_a = false, "assembly"_a = false);
  nb::class_<compiler::Job>(m, "Job")
      .def("done", &compiler::Job::done)
      .def("result", from_job<&compiler::Job::result>)
      .def("wait", from_job<&compiler::Job::wait>);
  m.def("submit", [](std::string text, int level, int priority) {
    return compiler::submit(std::move(text), level, static_cast<compiler::Priority>(priority));
  }, "text"_a, "level"_a, "priority"_a = 0);
  m.def("write_file", [](nb::handle folder, std::string name, nb::bytes data) {
    std::optional<std::string> path = file_name(folder.ptr());
    if (!path) throw nb::python_error();
    compiler::write_file(std::move(*path), std::move(name), {data.c_str(), data.size()});
  }, "folder"_a, "name"_a, "data"_a);
  m.def("flush_files", compiler::flush_files, nb::call_guard<nb::gil_scoped_release>());
  m.def("take_write_error", compiler::take_write_error);
  nb::class_<Image>(m, "Image").def("address", [](const Image& image, const std::string& name) {
    const uintptr_t address = image.address(name);
    if (!address) throw nb::key_error(name.c_str());
    return address;
  });
  m.def("load_object", load, "object"_a, "names"_a);
  m.def("loads_objects", Image::is_supported);
}

}  // namespace vires
