// C functions whose addresses compiled code may call. A file in native/kernels/ writes
//
//   extern "C" void vires_fill(void* out, int64_t n) { ... }
//   VIRES_SYMBOL(vires_fill)
//
// and `vires._native.symbols()["vires_fill"]` is its address.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace vires {

std::map<std::string, uintptr_t>& symbol_table();

struct SymbolEntry {
  SymbolEntry(const char* name, void* address) {
    symbol_table()[name] = reinterpret_cast<uintptr_t>(address);
  }
};

}  // namespace vires

#define VIRES_SYMBOL(name) \
  static const ::vires::SymbolEntry name##_entry(#name, reinterpret_cast<void*>(&name));
