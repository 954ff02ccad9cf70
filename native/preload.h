// Loads LLVM on a thread of its own while Python imports modules.
#pragma once

#include <string>

namespace vires {

// Starts to load llvmlite's library, initialise its native target and compile `ir` once, so that the
// first real kernel finds warm pages. Errors are left for the first use to report.
void preload_start(const std::string& path, const std::string& ir);

// Waits until it is done.
void preload_wait();

}  // namespace vires
