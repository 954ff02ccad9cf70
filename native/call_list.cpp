#include "call_list.h"

#include <array>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "common.h"

namespace vires {
namespace {

// Integers and addresses are passed alike on all processors of 64 bits.
template <size_t... I>
int64_t call_with(uintptr_t function, const int64_t* values, std::index_sequence<I...>) {
  using Pointer = int64_t (*)(decltype(static_cast<int64_t>(I))...);
  return reinterpret_cast<Pointer>(function)(values[I]...);
}

using Caller = int64_t (*)(uintptr_t, const int64_t*);

template <size_t... N>
constexpr std::array<Caller, sizeof...(N)> callers(std::index_sequence<N...>) {
  return {[](uintptr_t function, const int64_t* values) {
    return call_with(function, values, std::make_index_sequence<N>());
  }...};
}

static_assert(CallList::kMostOperands == 128, "messages say so");
constexpr auto kCallers = callers(std::make_index_sequence<CallList::kMostOperands + 1>());

int64_t as_number(const void* pointer) {
  return static_cast<int64_t>(reinterpret_cast<uintptr_t>(pointer));
}

template <class T>
T read(const char* address) {
  T value;
  std::memcpy(&value, address, sizeof value);
  return value;
}

int64_t read_integer(const char* address, int64_t itemsize, bool is_signed) {
  switch (itemsize) {
    case 1: return is_signed ? read<int8_t>(address) : read<uint8_t>(address);
    case 2: return is_signed ? read<int16_t>(address) : read<uint16_t>(address);
    case 4: return is_signed ? read<int32_t>(address) : read<uint32_t>(address);
    default: return read<int64_t>(address);
  }
}

}  // namespace

// Reads the numbers of a list: the number of steps, then each step with its kind first.
//   tasks:  0, count, on threads, number of functions; each: function, failure, number of operands,
//           and these: kind, two numbers (a table of places: the slot and offset of each follow)
//   copy:   1, target, source, bytes              (a place is a slot and an offset)
//   host:   2, number, number of places, places
//   check:  3, condition, position, shown, failure, steps
//   branch: 4, index, bytes of it, signed, number of cases, the steps of each
class CallList::Reader {
 public:
  Reader(CallList* list, const std::vector<int64_t>& words,
         const std::vector<uintptr_t>& functions)
      : list_(list), words_(words), functions_(functions) {}

  Steps all() {
    Steps steps = read_steps();
    require(next_ == words_.size(), "nothing after the last step");
    return steps;
  }

 private:
  static void require(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(std::string("CallList: needs ") + what);
  }

  int64_t word() {
    require(next_ < words_.size(), "whole steps");
    return words_[next_++];
  }

  // A number from 0 to below the limit.
  size_t below(size_t limit, const char* what) {
    const int64_t value = word();
    require(value >= 0 && static_cast<size_t>(value) < limit, what);
    return static_cast<size_t>(value);
  }

  size_t count() { return below(words_.size() + 1, "numbers of parts that it has"); }

  Place place() {
    const auto slot = static_cast<int64_t>(below(list_->slots_, "slots of the table"));
    return {slot, word()};
  }

  Steps read_steps() {
    Steps steps(count());
    for (Step& step : steps) step = read_step();
    return steps;
  }

  Step read_step() {
    const Op op = static_cast<Op>(word());
    switch (op) {
      case Op::kTasks: return {op, add(&list_->tasks_, read_tasks())};
      case Op::kCopy: {
        const Place target = place(), source = place();
        const int64_t bytes = word();
        require(bytes >= 0, "a number of bytes to copy");
        return {op, add(&list_->copies_, Copy{target, source, static_cast<size_t>(bytes)})};
      }
      case Op::kHost: {
        Host host{word(), std::vector<Place>(count())};
        for (Place& each : host.places) each = place();
        return {op, add(&list_->hosts_, std::move(host))};
      }
      case Op::kCheck: {
        const Place condition = place(), position = place(), shown = place();
        const int64_t failure = word();
        return {op, add(&list_->checks_, Check{condition, position, shown, failure, read_steps()})};
      }
      case Op::kBranch: {
        const Place index = place();
        const int64_t itemsize = word(), is_signed = word();
        require(itemsize == 1 || itemsize == 2 || itemsize == 4 || itemsize == 8,
                "an index of 1, 2, 4 or 8 bytes");
        Branch branch{index, itemsize, is_signed != 0, std::vector<Steps>(count())};
        require(!branch.cases.empty(), "a case");
        for (Steps& each : branch.cases) each = read_steps();
        return {op, add(&list_->branches_, std::move(branch))};
      }
    }
    throw std::invalid_argument("CallList: needs steps of known kinds");
  }

  template <class T>
  static size_t add(std::deque<T>* all, T one) {
    all->push_back(std::move(one));
    return all->size() - 1;
  }

  Tasks read_tasks() {
    const int64_t number = word();
    const bool threads = word() != 0;
    Tasks tasks{number, threads, std::vector<Function>(below(kMostFunctions + 1,
                "two functions in a task or fewer")), 0};
    for (Function& function : tasks.functions) {
      function.address = functions_[below(functions_.size(), "functions that it is given")];
      function.failure = word();
      function.operands.resize(below(kMostOperands + 1, "128 operands or fewer"));
      for (size_t i = 0; i < function.operands.size(); ++i) {
        function.operands[i] = operand(&tasks.pointers);
        if (function.operands[i].kind == Kind::kTask) function.tasks.push_back(i);
      }
    }
    return tasks;
  }

  Operand operand(size_t* pointers) {
    const Kind kind = static_cast<Kind>(word());
    switch (kind) {
      case Kind::kTable: {
        const size_t number = below(list_->tables_.size(), "tables that it is given");
        word();
        return {Kind::kNumber, as_number(list_->tables_[number].data()), {}, 0, 0};
      }
      case Kind::kPlace: return {kind, 0, place(), 0, 0};
      case Kind::kPlaces: {
        const size_t size = count();
        word();
        const size_t first = list_->places_.size();
        for (size_t i = 0; i < size; ++i) list_->places_.push_back(place());
        *pointers += size;
        return {kind, 0, {}, first, size};
      }
      case Kind::kNumber: case Kind::kTask: case Kind::kFrame: case Kind::kRuntime: {
        const int64_t value = word();
        word();
        return {kind, value, {}, 0, 0};
      }
    }
    throw std::invalid_argument("CallList: needs operands of known kinds");
  }

  CallList* list_;
  const std::vector<int64_t>& words_;
  const std::vector<uintptr_t>& functions_;
  size_t next_ = 0;
};

CallList::CallList(int64_t slots, bool keeps, const std::vector<Table>& tables,
                   const std::vector<int64_t>& words, const std::vector<uintptr_t>& functions)
    : slots_(static_cast<size_t>(slots)), keeps_(keeps) {
  for (const Table& table : tables) {
    if (table.itemsize != 4 && table.itemsize != 8)
      throw std::invalid_argument("CallList: needs tables of 4 or 8 bytes an element");
    const auto itemsize = static_cast<size_t>(table.itemsize);
    std::vector<char>& bytes = tables_.emplace_back(itemsize * table.values.size());
    for (size_t i = 0; i < table.values.size(); ++i) {
      const int64_t wide = table.values[i];
      const auto narrow = static_cast<int32_t>(wide);
      std::memcpy(bytes.data() + i * itemsize,
                  itemsize == 8 ? static_cast<const void*>(&wide) : &narrow, itemsize);
    }
  }
  steps_ = Reader(this, words, functions).all();
}

// The values of a function's operands, but for the number of the task.
struct CallList::Prepared {
  const Tasks* tasks;
  int64_t values[kMostFunctions][kMostOperands];

  void set(size_t number, const Function& function, void** frame, Runtime* runtime,
           const Place* places, void** pointers) {
    int64_t* value = values[number];
    for (const Operand& operand : function.operands) {
      switch (operand.kind) {
        case Kind::kPlace: *value = as_number(operand.place.in(frame)); break;
        case Kind::kFrame: *value = as_number(frame); break;
        case Kind::kRuntime: *value = as_number(runtime); break;
        case Kind::kPlaces:
          *value = as_number(pointers);
          for (size_t i = 0; i < operand.count; ++i)
            *pointers++ = places[operand.first + i].in(frame);
          break;
        default: *value = operand.number; break;
      }
      ++value;
    }
  }

  // Calls the functions for a task; -1, or where one failed.
  int64_t run(int64_t task) const {
    for (size_t number = 0; number < tasks->functions.size(); ++number) {
      const Function& function = tasks->functions[number];
      const size_t count = function.operands.size();
      int64_t own[kMostOperands];
      std::memcpy(own, values[number], count * sizeof *own);
      for (size_t place : function.tasks) own[place] = task;
      const int64_t result = kCallers[count](function.address, own);
      if (function.failure >= 0 && static_cast<int32_t>(result) != 0) return function.failure;
    }
    return -1;
  }
};

int32_t CallList::perform(const Tasks& tasks, void** frame, Runtime* runtime) const {
  Prepared prepared;
  prepared.tasks = &tasks;
  StackVector<void*, 64> pointers;
  pointers.resize(tasks.pointers);
  void** next = pointers.data();
  for (size_t number = 0; number < tasks.functions.size(); ++number) {
    const Function& function = tasks.functions[number];
    prepared.set(number, function, frame, runtime, places_.data(), next);
    for (const Operand& operand : function.operands)
      if (operand.kind == Kind::kPlaces) next += operand.count;
  }
  if (tasks.threads) {
    struct Shared {
      const Prepared* prepared;
      Runtime* runtime;
    } shared{&prepared, runtime};
    runtime->parallel_for(runtime, [](void* context, int64_t task) {
      const auto* known = static_cast<const Shared*>(context);
      const int64_t failed = known->prepared->run(task);
      if (failed >= 0) known->runtime->fail(known->runtime, failed, 0, 0);
    }, &shared, tasks.count);
  } else {
    for (int64_t task = 0; task < tasks.count; ++task) {
      const int64_t failed = prepared.run(task);
      if (failed >= 0) {
        runtime->fail(runtime, failed, 0, 0);
        return 1;
      }
    }
  }
  return runtime->stop ? 1 : 0;
}

const CallList::Steps& CallList::chosen(const Branch& branch, void* const* frame) const {
  const int64_t index = read_integer(branch.index.in(frame), branch.itemsize, branch.is_signed);
  const auto last = static_cast<int64_t>(branch.cases.size()) - 1;
  return branch.cases[static_cast<size_t>(index < 0 ? 0 : index > last ? last : index)];
}

int32_t CallList::perform(const Steps& steps, void** frame, Runtime* runtime) const {
  for (const Step& step : steps) {
    int32_t result = 0;
    switch (step.op) {
      case Op::kTasks: result = perform(tasks_[step.index], frame, runtime); break;
      case Op::kCopy: {
        const Copy& copy = copies_[step.index];
        char* const target = copy.target.in(frame);
        const char* const source = copy.source.in(frame);
        if (target != source) std::memmove(target, source, copy.bytes);
        break;
      }
      case Op::kHost: {
        const Host& host = hosts_[step.index];
        StackVector<void*, 32> pointers;
        for (const Place& place : host.places) pointers.push(place.in(frame));
        if (runtime->host(runtime, host.number, pointers.data()) != 0) result = -1;
        break;
      }
      case Op::kCheck: {
        const Check& check = checks_[step.index];
        if (*check.condition.in(frame)) break;
        result = perform(check.otherwise, frame, runtime);
        if (result != 0) break;
        runtime->fail(runtime, check.failure, read<int64_t>(check.position.in(frame)),
                      read<int64_t>(check.shown.in(frame)));
        result = 1;
        break;
      }
      case Op::kBranch:
        result = perform(chosen(branches_[step.index], frame), frame, runtime);
        break;
    }
    if (result != 0) return result;
  }
  return 0;
}

int32_t CallList::run(void** buffers, Runtime* runtime) const {
  if (!keeps_) return perform(steps_, buffers, runtime);
  StackVector<void*, 64> frame;
  frame.resize(slots_ + 1);
  std::memcpy(frame.data(), buffers, slots_ * sizeof(void*));
  frame[slots_] = runtime;
  return perform(steps_, frame.data(), runtime);
}

}  // namespace vires
