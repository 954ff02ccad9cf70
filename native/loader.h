// Places object code in executable memory without LLVM: a small linker for x86-64 ELF objects.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace vires {

// Machine code in memory, freed with this object.
class Image {
 public:
  // The address that a name outside the object stands for; 0 if it is unknown.
  using Resolver = std::function<uintptr_t(const std::string&)>;

  // Loads an object. Throws std::runtime_error, with the reason, for one that LLVM's own linker has
  // to place: of another processor, with other sections or relocations, or with unknown names.
  Image(std::string_view object, const Resolver& resolve);
  ~Image();
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  // The address of a function of the object; 0 if it has no such function.
  uintptr_t address(const std::string& name) const;

  // Whether objects for this machine are of the kind that the loader knows.
  static bool is_supported();

 private:
  char* base_ = nullptr;
  size_t size_ = 0;
  std::unordered_map<std::string, uintptr_t> symbols_;
};

}  // namespace vires
