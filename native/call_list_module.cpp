#include "call_list_module.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include "call_list.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace vires {

void define_call_list(nb::module_& m) {
  nb::class_<CallList>(m, "CallList")
      .def("__init__", [](CallList* place, int64_t slots, bool keeps,
                          const std::vector<std::pair<int64_t, std::vector<int64_t>>>& tables,
                          const std::vector<int64_t>& words,
                          const std::vector<uintptr_t>& functions) {
        std::vector<CallList::Table> known;
        for (const auto& [itemsize, values] : tables) known.push_back({itemsize, values});
        new (place) CallList(slots, keeps, known, words, functions);
      }, "slots"_a, "keeps"_a, "tables"_a, "words"_a, "functions"_a);
  m.attr("MOST_OPERANDS") = CallList::kMostOperands;
}

const CallList* call_list_in(PyObject* object) {
  const nb::handle handle(object);
  return nb::isinstance<CallList>(handle) ? nb::inst_ptr<CallList>(handle) : nullptr;
}

}  // namespace vires
