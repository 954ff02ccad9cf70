#include "compiler.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "processor.h"

namespace vires::compiler {
namespace {

// llvmlite's C functions.
struct Library {
  int (*initialize_target)();
  int (*initialize_printer)();
  void (*get_triple)(char**);
  void (*get_cpu)(char**);
  int (*get_features)(char**);
  void* (*find_target)(const char*, char**);
  void* (*create_machine)(void*, const char*, const char*, const char*, int, const char*,
                          const char*, int, int, const char*);
  void* (*create_context)();
  void (*dispose_context)(void*);
  void* (*parse)(void*, const char*, char**);
  bool (*verify)(void*, char**);
  void* (*emit)(void*, void*, int, char**);
  const char* (*buffer_start)(void*);
  size_t (*buffer_size)(void*);
  void (*dispose_buffer)(void*);
  void (*dispose_module)(void*);
  void (*dispose_string)(char*);
  void* (*create_tuning)();
  void* (*create_pass_builder)(void*, void*);
  void* (*create_passes)();
  void (*add_inliner)(void*);
  void (*run_passes)(void*, void*, void*);
  void (*dispose_passes)(void*);
  void (*dispose_pass_builder)(void*);

  bool load(const std::string& path) {
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) return false;
    bool found = true;
    const auto get = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
          dlsym(handle, (std::string("LLVMPY_") + name).c_str()));
      found = found && function;
    };
    get(initialize_target, "InitializeNativeTarget");
    get(initialize_printer, "InitializeNativeAsmPrinter");
    get(get_triple, "GetProcessTriple");
    get(get_cpu, "GetHostCPUName");
    get(get_features, "GetHostCPUFeatures");
    get(find_target, "GetTargetFromTriple");
    get(create_machine, "CreateTargetMachine");
    get(create_context, "ContextCreate");
    get(dispose_context, "ContextDispose");
    get(parse, "ParseAssembly");
    get(verify, "VerifyModule");
    get(emit, "TargetMachineEmitToMemory");
    get(buffer_start, "GetBufferStart");
    get(buffer_size, "GetBufferSize");
    get(dispose_buffer, "DisposeMemoryBuffer");
    get(dispose_module, "DisposeModule");
    get(dispose_string, "DisposeString");
    get(create_tuning, "CreatePipelineTuningOptions");
    get(create_pass_builder, "CreatePassBuilder");
    get(create_passes, "CreateNewModulePassManager");
    get(add_inliner, "module_AddAlwaysInlinerPass");
    get(run_passes, "RunNewModulePassManager");
    get(dispose_passes, "DisposeNewModulePassManger");
    get(dispose_pass_builder, "DisposePassBuilder");
    return found;
  }

  std::string take(char* text) const {
    if (!text) return {};
    std::string result = text;
    dispose_string(text);
    return result;
  }
};

constexpr int kLevels = 3;
// A context keeps every type and constant it has seen; a fresh one after so many modules bounds that.
constexpr int kModulesPerContext = 256;
constexpr int kMostWorkers = 8;
// Of threads that compile in the background: about a tenth of a busy processor is theirs.
constexpr int kNice = 10;

// What one thread at a time compiles with: LLVM is thread-safe across contexts.
struct Bench {
  void* context = nullptr;
  void* machines[kLevels] = {};
  int modules = 0;
};

struct File {
  std::string folder, name, data;
};

struct State {
  std::mutex mutex;
  std::condition_variable changed;
  std::string path, warm_up;
  bool loaded = false, failed = false;
  Library library;
  void* target = nullptr;
  Host host;
  std::vector<Bench*> idle;
  std::deque<std::shared_ptr<Job>> urgent, soon, background;
  std::deque<File> files;
  std::string write_error;
  int writing = 0;  // files that are being written
  std::vector<std::thread> workers, low_workers;
  int waiting = 0, low_waiting = 0;  // workers without work
  int ahead = 0;                     // workers on jobs that are needed soon
  bool stopping = false;
};

// Never destroyed: threads may outlive static objects.
State& state = *new State;

void* machine_of(Bench& bench, int level, std::string* error) {
  void*& machine = bench.machines[level];
  if (!machine) {
    const Host& host = state.host;
    machine = state.library.create_machine(state.target, host.triple.c_str(), host.cpu.c_str(),
                                           host.features.c_str(), level, "pic", "small", 0, 0, "");
    if (!machine) *error = "LLVM has no code generator for " + host.triple;
  }
  return machine;
}

Bench* take_bench() {
  {
    const std::lock_guard guard(state.mutex);
    if (!state.idle.empty()) {
      Bench* bench = state.idle.back();
      state.idle.pop_back();
      return bench;
    }
  }
  return new Bench;
}

void give_bench(Bench* bench) {
  const std::lock_guard guard(state.mutex);
  state.idle.push_back(bench);
}

// Puts functions marked `alwaysinline` in the places of their calls.
void write_inline(void* machine, void* module) {
  const Library& llvm = state.library;
  static void* const tuning = llvm.create_tuning();
  void* builder = llvm.create_pass_builder(machine, tuning);
  void* passes = llvm.create_passes();
  llvm.add_inliner(passes);
  llvm.run_passes(passes, module, builder);
  llvm.dispose_passes(passes);
  llvm.dispose_pass_builder(builder);
}

Result compile_on(Bench& bench, const std::string& text, int level, bool verify, Output output) {
  const Library& llvm = state.library;
  Result result;
  void* machine = machine_of(bench, level, &result.error);
  if (!machine) return result;
  if (bench.context && bench.modules >= kModulesPerContext) {
    llvm.dispose_context(bench.context);
    bench.context = nullptr;
  }
  if (!bench.context) {
    bench.context = llvm.create_context();
    bench.modules = 0;
  }
  ++bench.modules;
  char* message = nullptr;
  void* module = llvm.parse(bench.context, text.c_str(), &message);
  if (!module || message) {
    if (module) llvm.dispose_module(module);
    result.error = "LLVM cannot parse the kernel: " + llvm.take(message);
    return result;
  }
  if (verify && llvm.verify(module, &message)) {
    result.error = "the kernel is not valid IR: " + llvm.take(message);
    llvm.dispose_module(module);
    return result;
  }
  if (text.find(" alwaysinline ") != std::string::npos) write_inline(machine, module);
  if (void* buffer = llvm.emit(machine, module, static_cast<int>(output), &message)) {
    result.bytes.assign(llvm.buffer_start(buffer), llvm.buffer_size(buffer));
    llvm.dispose_buffer(buffer);
  } else {
    result.error = "LLVM cannot emit the kernel: " + llvm.take(message);
  }
  llvm.dispose_module(module);
  return result;
}

bool load() {
  Library& llvm = state.library;
  if (!llvm.load(state.path)) return false;
  llvm.initialize_target();
  llvm.initialize_printer();
  char *triple = nullptr, *cpu = nullptr, *features = nullptr, *error = nullptr;
  llvm.get_triple(&triple);
  llvm.get_cpu(&cpu);
  llvm.get_features(&features);
  state.host = {llvm.take(cpu), processor::narrowed(llvm.take(features)), llvm.take(triple)};
  state.target = llvm.find_target(state.host.triple.c_str(), &error);
  llvm.take(error);
  return state.target;
}

int processors() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

std::shared_ptr<Job> pop(std::deque<std::shared_ptr<Job>>& queue) {
  std::shared_ptr<Job> job = std::move(queue.front());
  queue.pop_front();
  return job;
}

void write_now(const File& file) {
  const std::string pattern = file.folder + "/.new-XXXXXX";
  std::string temporary = pattern;
  int handle = mkstemp(temporary.data());
  if (handle < 0 && errno == ENOENT && (mkdir(file.folder.c_str(), 0777) == 0 || errno == EEXIST)) {
    temporary = pattern;
    handle = mkstemp(temporary.data());
  }
  bool good = handle >= 0;
  for (size_t done = 0; good && done < file.data.size();) {
    const ssize_t count = write(handle, file.data.data() + done, file.data.size() - done);
    good = count > 0 || (count < 0 && errno == EINTR);
    done += std::max<ssize_t>(count, 0);
  }
  std::string reason = good ? "" : std::strerror(errno);
  if (handle >= 0 && close(handle) != 0 && good) reason = std::strerror(errno);
  if (reason.empty() && rename(temporary.c_str(), (file.folder + "/" + file.name).c_str()) != 0)
    reason = std::strerror(errno);
  if (reason.empty()) return;
  if (handle >= 0) unlink(temporary.c_str());
  const std::lock_guard guard(state.mutex);
  state.write_error = reason;
}

// Writes the files that wait. Called with the lock held, which it gives up meanwhile.
void write_files(std::unique_lock<std::mutex>& lock) {
  while (!state.files.empty()) {
    const File file = std::move(state.files.front());
    state.files.pop_front();
    ++state.writing;
    lock.unlock();
    write_now(file);
    lock.lock();
    --state.writing;
    state.changed.notify_all();
  }
}

// The next job for a worker, or none when it is to end. Called with the lock held.
std::shared_ptr<Job> next_job(std::unique_lock<std::mutex>& lock, bool low, bool* is_ahead) {
  const int spare = std::max(1, processors() - 1);
  int& waiting = low ? state.low_waiting : state.waiting;
  for (;;) {
    *is_ahead = false;
    if (state.stopping) return nullptr;
    if (low) {
      if (!state.background.empty()) return pop(state.background);
    } else {
      if (!state.urgent.empty()) return pop(state.urgent);
      if (!state.files.empty()) {
        write_files(lock);
        continue;
      }
      *is_ahead = !state.soon.empty() && state.ahead < spare;
      if (*is_ahead) return pop(state.soon);
    }
    ++waiting;
    state.changed.wait(lock);
    --waiting;
  }
}

// Lets this thread give way to others. There is no way back: raising a priority needs a privilege.
void lower_priority() {
#ifdef __linux__
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNice);
#endif
}

void work(bool first, bool low) {
  if (low) lower_priority();
  if (first) {
    const bool good = load();
    if (good) {
      // The bench that the first kernel will be compiled on.
      Bench* bench = new Bench;
      compile_on(*bench, state.warm_up, 0, false, Output::kObject);
      give_bench(bench);
    }
    const std::lock_guard guard(state.mutex);
    state.loaded = good;
    state.failed = !good;
    state.changed.notify_all();
    if (!good) return;
  }
  std::unique_lock lock(state.mutex);
  for (;;) {
    bool is_ahead = false;
    const std::shared_ptr<Job> job = next_job(lock, low, &is_ahead);
    if (!job) return;
    state.ahead += is_ahead;
    lock.unlock();
    job->run();
    lock.lock();
    state.ahead -= is_ahead;
    if (is_ahead) state.changed.notify_all();  // the next of them had to wait
  }
}

// With the lock held: a worker more if none is free.
void add_worker(bool first = false) {
  const int most = std::min(processors(), kMostWorkers);
  if (state.stopping || static_cast<int>(state.workers.size()) >= most) return;
  if (first || state.waiting == 0) state.workers.emplace_back(work, first, false);
}

// The same of the background. They leave one processor to the program.
void add_low_worker() {
  const int most = std::clamp(processors() - 1, 1, kMostWorkers);
  if (state.stopping || static_cast<int>(state.low_workers.size()) >= most) return;
  if (state.low_waiting == 0) state.low_workers.emplace_back(work, false, true);
}

// A child that is forked while a thread holds a lock, of ours or of the loader, could never take it.
void before_fork() {
  stop();
  state.mutex.lock();
}

void after_fork() {
  state.stopping = false;
  if (!state.urgent.empty() || !state.soon.empty() || !state.files.empty()) add_worker();
  if (!state.background.empty()) add_low_worker();
  state.mutex.unlock();
}

bool wait_until_loaded() {
  std::unique_lock lock(state.mutex);
  state.changed.wait(lock, [] { return state.loaded || state.failed; });
  return state.loaded;
}

}  // namespace

void Job::run() {
  {
    const std::lock_guard guard(mutex_);
    if (state_ != State::kWaiting) return;
    state_ = State::kRunning;
  }
  Result result = compile(text_, level_, false, Output::kObject);
  const std::lock_guard guard(mutex_);
  result_ = std::move(result);
  text_ = {};
  state_ = State::kDone;
  changed_.notify_all();
}

bool Job::done() {
  const std::lock_guard guard(mutex_);
  return state_ == State::kDone;
}

const Result& Job::result() {
  run();
  return wait();
}

const Result& Job::wait() {
  bool stopping;
  {
    const std::lock_guard guard(state.mutex);
    stopping = state.stopping;
  }
  if (stopping) run();  // nobody else will
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return state_ == State::kDone; });
  return result_;
}

void start(const std::string& path, const std::string& ir) {
  const std::lock_guard guard(state.mutex);
  if (!state.path.empty()) return;
  static const bool registered = pthread_atfork(before_fork, after_fork, after_fork) == 0;
  if (!registered) {
    state.failed = true;
    return;
  }
  state.path = path;
  state.warm_up = ir;
  add_worker(true);
}

void stop() {
  std::vector<std::thread> workers;
  {
    const std::lock_guard guard(state.mutex);
    state.stopping = true;
    state.changed.notify_all();
    workers.swap(state.workers);
    for (std::thread& worker : state.low_workers) workers.push_back(std::move(worker));
    state.low_workers.clear();
  }
  for (std::thread& worker : workers) worker.join();
  std::unique_lock lock(state.mutex);
  write_files(lock);
}

const Host& host() {
  wait_until_loaded();
  return state.host;
}

Result compile(const std::string& text, int level, bool verify, Output output) {
  if (!wait_until_loaded()) return {{}, "LLVM's library cannot be loaded from " + state.path};
  Bench* bench = take_bench();
  Result result = compile_on(*bench, text, level, verify, output);
  give_bench(bench);
  return result;
}

std::shared_ptr<Job> submit(std::string text, int level, Priority priority) {
  auto job = std::make_shared<Job>(std::move(text), level);
  const std::lock_guard guard(state.mutex);
  if (priority == Priority::kBackground) {
    state.background.push_back(job);
    add_low_worker();
  } else {
    (priority == Priority::kSoon ? state.soon : state.urgent).push_back(job);
    add_worker();
  }
  state.changed.notify_all();
  return job;
}

void write_file(std::string folder, std::string name, std::string data) {
  const std::lock_guard guard(state.mutex);
  state.files.push_back({std::move(folder), std::move(name), std::move(data)});
  add_worker();
  state.changed.notify_all();
}

void flush_files() {
  std::unique_lock lock(state.mutex);
  write_files(lock);
  state.changed.wait(lock, [] { return !state.writing; });
}

std::string take_write_error() {
  const std::lock_guard guard(state.mutex);
  return std::exchange(state.write_error, {});
}

}  // namespace vires::compiler
