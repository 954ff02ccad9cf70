#include "preload.h"

#include <dlfcn.h>
#include <pthread.h>

#include <cstdlib>
#include <mutex>
#include <thread>

namespace vires {
namespace {

std::mutex mutex;
// Joined at exit at the latest, and never destroyed.
std::thread& worker = *new std::thread;

template <typename Function>
Function* symbol(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

void load(const std::string& path, const std::string& ir) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return;
  const auto target = symbol<int()>(library, "LLVMPY_InitializeNativeTarget");
  const auto printer = symbol<int()>(library, "LLVMPY_InitializeNativeAsmPrinter");
  const auto triple_of = symbol<void(char**)>(library, "LLVMPY_GetProcessTriple");
  const auto cpu_of = symbol<void(char**)>(library, "LLVMPY_GetHostCPUName");
  const auto features_of = symbol<int(char**)>(library, "LLVMPY_GetHostCPUFeatures");
  const auto find = symbol<void*(const char*, char**)>(library, "LLVMPY_GetTargetFromTriple");
  const auto make = symbol<void*(void*, const char*, const char*, const char*, int, const char*,
                                 const char*, int, int, const char*)>(
      library, "LLVMPY_CreateTargetMachine");
  const auto context = symbol<void*()>(library, "LLVMPY_ContextCreate");
  const auto parse = symbol<void*(void*, const char*, char**)>(library, "LLVMPY_ParseAssembly");
  const auto emit =
      symbol<void*(void*, void*, int, char**)>(library, "LLVMPY_TargetMachineEmitToMemory");
  const auto dispose_module = symbol<void(void*)>(library, "LLVMPY_DisposeModule");
  const auto dispose_buffer = symbol<void(void*)>(library, "LLVMPY_DisposeMemoryBuffer");
  const auto dispose_context = symbol<void(void*)>(library, "LLVMPY_ContextDispose");
  if (!target || !printer || !triple_of || !cpu_of || !features_of || !find || !make || !context ||
      !parse || !emit || !dispose_module || !dispose_buffer || !dispose_context)
    return;
  target();
  printer();
  char *triple = nullptr, *cpu = nullptr, *features = nullptr, *error = nullptr;
  triple_of(&triple);
  cpu_of(&cpu);
  features_of(&features);
  void* found = find(triple, &error);
  void* machine =
      found ? make(found, triple, cpu, features ? features : "", 0, "pic", "small", 0, 0, "")
            : nullptr;
  if (!machine) return;
  void* own = context();
  if (void* module = parse(own, ir.c_str(), &error)) {
    if (void* buffer = emit(machine, module, 1, &error)) dispose_buffer(buffer);
    dispose_module(module);
  }
  dispose_context(own);
}

void join() {
  const std::lock_guard<std::mutex> guard(mutex);
  if (worker.joinable()) worker.join();
}

}  // namespace

void preload_start(const std::string& path, const std::string& ir) {
  const std::lock_guard<std::mutex> guard(mutex);
  if (worker.joinable()) return;
  // A child forked while the loader holds its locks could never load anything.
  static const bool registered =
      pthread_atfork(join, nullptr, nullptr) == 0 && std::atexit(join) == 0;
  if (registered) worker = std::thread(load, path, ir);
}

void preload_wait() { join(); }

}  // namespace vires
