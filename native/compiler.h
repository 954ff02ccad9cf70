// LLVM's code generator, called without Python: llvmlite's library, loaded on a thread of its own.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

namespace vires::compiler {

struct Host {
  std::string cpu;
  std::string features;  // "+avx2,-avx512f,..."
  std::string triple;
};

// What the target machine writes, as the library numbers it.
enum class Output { kAssembly = 0, kObject = 1 };

struct Result {
  std::string bytes;
  std::string error;  // empty if all went well
};

// A module to be compiled on a worker.
class Job {
 public:
  Job(std::string text, int level) : text_(std::move(text)), level_(level) {}
  void run();
  bool done();
  // Waits for it; a job that no worker has begun is run by the caller.
  const Result& result();
  // Waits until a worker has done it.
  const Result& wait();

 private:
  enum class State { kWaiting, kRunning, kDone };

  std::string text_;
  int level_;
  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::kWaiting;
  Result result_;
};

// Starts to load the library at `path` and to compile `ir` once, so that the first real kernel finds
// warm pages and tables. Errors are left for the first use to report. Later calls do nothing.
void start(const std::string& path, const std::string& ir);

// Ends the workers, after the jobs that they have begun; the others stay in their queues, to be run by
// who asks for their results. To be called before the process exits: the library destroys its
// objects then.
void stop();

// The processor of this machine. Waits for the library; an empty triple if there is none.
const Host& host();

// Compiles IR text on the calling thread. Any number of threads may do so at once.
Result compile(const std::string& text, int level, bool verify, Output output);

// Jobs that are needed soon wait until no urgent one does, and leave one processor to the program.
// Those of the background have threads of a low priority: while the program keeps all processors
// busy they get about a tenth of one.
enum class Priority { kUrgent = 0, kSoon = 1, kBackground = 2 };

// Hands a module to the workers.
std::shared_ptr<Job> submit(std::string text, int level, Priority priority);

// Writes a file of the cache on a worker, and makes its folder if need be: others see the whole file or none. What is left at exit or
// before a fork is written then.
void write_file(std::string folder, std::string name, std::string data);

// Waits until all files are written.
void flush_files();

// Why files could not be written since the last time that somebody asked; empty if none failed.
std::string take_write_error();

}  // namespace vires::compiler
