// Names of files, and reading whole ones.
#pragma once

#include "common.h"

#include <optional>
#include <string>

namespace vires {

// The bytes that Python's text of a file's name stands for (they need not be UTF-8, nor is the
// system's encoding); none with an exception if it is no name.
std::optional<std::string> file_name(PyObject* text);

// The bytes of a file; none if it cannot be read. It is read without asking for its size.
std::optional<std::string> read_file(const char* path);

}  // namespace vires
