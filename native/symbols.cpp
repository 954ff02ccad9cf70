#include "symbols.h"

namespace vires {

// Made on first use: entries of other files may be constructed before this file's statics.
std::map<std::string, uintptr_t>& symbol_table() {
  static auto* table = new std::map<std::string, uintptr_t>;
  return *table;
}

}  // namespace vires
