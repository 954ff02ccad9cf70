// Reading whole files.
#pragma once

#include <optional>
#include <string>

namespace vires {

// The bytes of a file; none if it cannot be read. It is read without asking for its size.
std::optional<std::string> read_file(const char* path);

}  // namespace vires
