#include "plan.h"

#include <vector>

#include "callable.h"
#include "output_tree.h"

namespace vires {
namespace {

// A place of the table of values: arguments first, then constants, then results.
struct Operation {
  Owned callable;
  std::vector<int> operands;
  std::vector<int> results;
  bool several;            // gives a sequence of results
  std::vector<int> dying;  // places that nothing reads afterwards
};

struct Plan {
  Callable base;
  int arguments;
  int places;
  std::vector<Owned>* constants;
  std::vector<Operation>* operations;
  std::vector<int>* outputs;
  PyObject* skeleton;
};

Plan* as_plan(PyObject* self) { return reinterpret_cast<Plan*>(self); }

bool keep_results(const Operation& operation, Owned found, Owned* table) {
  if (!operation.several) {
    table[operation.results[0]] = std::move(found);
    return true;
  }
  const Owned items(PySequence_Fast(found.get(), "Plan: needs a sequence of results"));
  if (!items) return false;
  if (PySequence_Fast_GET_SIZE(items.get()) != static_cast<Py_ssize_t>(operation.results.size())) {
    PyErr_Format(PyExc_ValueError, "Plan: needs %zu results of %R; got %zd",
                 operation.results.size(), operation.callable.get(),
                 PySequence_Fast_GET_SIZE(items.get()));
    return false;
  }
  for (size_t k = 0; k < operation.results.size(); ++k)
    table[operation.results[k]] =
        Owned::borrow(PySequence_Fast_GET_ITEM(items.get(), static_cast<Py_ssize_t>(k)));
  return true;
}

PyObject* call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject*) {
  const Plan& plan = *as_plan(self);
  const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
  if (count != plan.arguments || !plan.operations) {
    PyErr_Format(PyExc_TypeError, "Plan: needs %d arguments; got %zd", plan.arguments, count);
    return nullptr;
  }
  const Owned held = Owned::borrow(self);
  constexpr int kInline = 24;
  Owned inline_table[kInline];
  std::vector<Owned> heap_table;
  Owned* table = inline_table;
  if (plan.places > kInline) {
    heap_table.resize(static_cast<size_t>(plan.places));
    table = heap_table.data();
  }
  int place = 0;
  for (; place < plan.arguments; ++place) table[place] = Owned::borrow(args[place]);
  for (const Owned& constant : *plan.constants) table[place++] = constant;
  StackVector<PyObject*, 16> operands;
  for (const Operation& operation : *plan.operations) {
    operands.resize(operation.operands.size());
    for (size_t i = 0; i < operation.operands.size(); ++i)
      operands[i] = table[operation.operands[i]].get();
    Owned found(PyObject_Vectorcall(operation.callable.get(), operands.data(), operands.size(),
                                    nullptr));
    if (!found || !keep_results(operation, std::move(found), table)) return nullptr;
    for (int dead : operation.dying) table[dead] = Owned();
  }
  StackVector<PyObject*, 16> leaves;
  for (int output : *plan.outputs) leaves.push(table[output].get());
  return fill_skeleton(plan.skeleton, leaves.data());
}

bool read_places(PyObject* list, int places, std::vector<int>* result) {
  const Owned items(PySequence_Fast(list, "Plan: needs a sequence of places"));
  if (!items) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    const long place = PyLong_AsLong(PySequence_Fast_GET_ITEM(items.get(), i));
    if (place == -1 && PyErr_Occurred()) return false;
    if (place < 0 || place >= places) {
      PyErr_Format(PyExc_ValueError, "Plan: needs places below %d; got %ld", places, place);
      return false;
    }
    result->push_back(static_cast<int>(place));
  }
  return true;
}

bool read_operations(PyObject* list, Plan* plan) {
  const Owned items(PySequence_Fast(list, "Plan: needs a list of operations"));
  if (!items) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    PyObject *callable, *operands, *results;
    int several;
    if (!PyArg_ParseTuple(PySequence_Fast_GET_ITEM(items.get(), i), "OOOp", &callable, &operands,
                          &results, &several))
      return false;
    Operation operation;
    operation.callable = Owned::borrow(callable);
    operation.several = several != 0;
    if (!read_places(operands, plan->places, &operation.operands) ||
        !read_places(results, plan->places, &operation.results))
      return false;
    plan->operations->push_back(std::move(operation));
  }
  return true;
}

// Results are dropped after their last use, so that the next ones take their memory.
void find_last_uses(Plan* plan) {
  std::vector<bool> needed(static_cast<size_t>(plan->places));
  for (int place : *plan->outputs) needed[static_cast<size_t>(place)] = true;
  const int first = plan->arguments + static_cast<int>(plan->constants->size());
  for (auto operation = plan->operations->rbegin(); operation != plan->operations->rend();
       ++operation) {
    const auto drop = [&](int place) {
      if (place < first || needed[static_cast<size_t>(place)]) return;
      needed[static_cast<size_t>(place)] = true;
      operation->dying.push_back(place);
    };
    for (int place : operation->results) drop(place);
    for (int place : operation->operands) drop(place);
  }
}

PyObject* create(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"arguments", "constants", "places", "operations",
                                "outputs",   "skeleton",  nullptr};
  PyObject *constants, *operations, *outputs, *skeleton;
  int arguments, places;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iOiOOO:Plan", const_cast<char**>(names),
                                   &arguments, &constants, &places, &operations, &outputs,
                                   &skeleton))
    return nullptr;
  const Owned self(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  Plan* plan = as_plan(self.get());
  plan->base.vectorcall = call;
  plan->arguments = arguments;
  plan->places = places;
  plan->constants = new std::vector<Owned>;
  plan->operations = new std::vector<Operation>;
  plan->outputs = new std::vector<int>;
  plan->skeleton = Py_NewRef(skeleton);
  const Owned items(PySequence_Fast(constants, "Plan: needs a list of constants"));
  if (!items) return nullptr;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i)
    plan->constants->push_back(Owned::borrow(PySequence_Fast_GET_ITEM(items.get(), i)));
  if (arguments < 0 || places < arguments + static_cast<int>(plan->constants->size())) {
    PyErr_Format(PyExc_ValueError, "Plan: needs places for %d arguments and %zu constants; got %d",
                 arguments, plan->constants->size(), places);
    return nullptr;
  }
  if (!read_places(outputs, places, plan->outputs) || !read_operations(operations, plan))
    return nullptr;
  const int good = check_skeleton(skeleton, static_cast<Py_ssize_t>(plan->outputs->size()));
  if (good < 0) return nullptr;
  if (!good) {
    PyErr_Format(PyExc_ValueError, "Plan: needs builtin containers with leaf numbers; got %R",
                 skeleton);
    return nullptr;
  }
  find_last_uses(plan);
  return Py_NewRef(self.get());
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  const Plan* plan = as_plan(self);
  Py_VISIT(plan->skeleton);
  if (plan->constants)
    for (const Owned& constant : *plan->constants) Py_VISIT(constant.get());
  if (plan->operations)
    for (const Operation& operation : *plan->operations) Py_VISIT(operation.callable.get());
  return callable_traverse(self, visit, arg);
}

// What a call looks at stays until the end: a plan that is called is held by its caller.
int clear(PyObject* self) {
  callable_clear(self);
  return 0;
}

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  if (as_plan(self)->base.weakrefs) PyObject_ClearWeakRefs(self);
  callable_clear(self);
  Py_CLEAR(as_plan(self)->skeleton);
  delete as_plan(self)->constants;
  delete as_plan(self)->operations;
  delete as_plan(self)->outputs;
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

}  // namespace

bool plan_ready(PyObject* module) {
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("The resolved operations of an eager call.")},
      {Py_tp_new, reinterpret_cast<void*>(create)},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
      {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(clear)},
      {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
      {Py_tp_getset, callable_getters},
      {Py_tp_members, callable_members},
      {0, nullptr}};
  static PyType_Spec spec = {"vires._native.Plan", sizeof(Plan), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
                             slots};
  const Owned type(PyType_FromSpec(&spec));
  return type && PyModule_AddObjectRef(module, "Plan", type.get()) == 0;
}

}  // namespace vires
