#include "files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace vires {

std::optional<std::string> file_name(PyObject* text) {
  PyObject* bytes;
  if (!PyUnicode_FSConverter(text, &bytes)) return std::nullopt;
  const Owned owned(bytes);
  return std::string(PyBytes_AS_STRING(bytes), static_cast<size_t>(PyBytes_GET_SIZE(bytes)));
}

std::optional<std::string> read_file(const char* path) {
  const int handle = open(path, O_RDONLY | O_CLOEXEC);
  if (handle < 0) return std::nullopt;
  std::string data;
  // The file's size is not asked for: files that fit into the first part are read by one call, and
  // one that finds the end.
  char part[1 << 15];
  ssize_t count;
  do {
    count = read(handle, part, sizeof part);
    if (count > 0) data.append(part, static_cast<size_t>(count));
  } while (count > 0 || (count < 0 && errno == EINTR));
  close(handle);
  if (count < 0) return std::nullopt;
  return data;
}

}  // namespace vires
