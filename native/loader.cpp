#include "loader.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <vector>

#if defined(__linux__) && defined(__x86_64__)
#include <elf.h>
#endif

namespace vires {

#if defined(__linux__) && defined(__x86_64__)
namespace {

// jmp *[rip + 2]; padding; the address.
constexpr size_t kStub = 16;
constexpr size_t kAddressInStub = 8;
constexpr uint32_t kUnwindSection = 0x70000001;

size_t up(size_t size, size_t multiple) { return (size + multiple - 1) / multiple * multiple; }

[[noreturn]] void refuse(const std::string& reason) { throw std::runtime_error(reason); }

template <typename T>
void put(char* place, T value) {
  std::memcpy(place, &value, sizeof value);
}

// The tables of an object, checked to lie inside it.
class Object {
 public:
  explicit Object(std::string_view bytes) : bytes_(bytes) {
    static const unsigned char magic[] = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
                                          ELFDATA2LSB};
    if (bytes.size() < sizeof(Elf64_Ehdr) || std::memcmp(bytes.data(), magic, sizeof magic) != 0)
      refuse("not an ELF object of 64 bits");
    const auto header = read<Elf64_Ehdr>(0);
    if (header.e_machine != EM_X86_64 || header.e_type != ET_REL)
      refuse("not an object for x86-64");
    sections = table<Elf64_Shdr>(header.e_shoff, header.e_shnum);
    for (const Elf64_Shdr& section : sections)
      if (section.sh_type == SHT_SYMTAB) {
        symbols = table<Elf64_Sym>(section.sh_offset, section.sh_size / sizeof(Elf64_Sym));
        if (section.sh_link >= sections.size()) refuse("no table of names");
        strings_ = sections[section.sh_link].sh_offset;
      }
  }

  template <typename T>
  T read(size_t offset) const {
    T value;
    std::memcpy(&value, part(offset, sizeof(T)), sizeof(T));
    return value;
  }

  template <typename T>
  std::vector<T> table(size_t offset, size_t count) const {
    std::vector<T> result(count);
    if (count) std::memcpy(result.data(), part(offset, count * sizeof(T)), count * sizeof(T));
    return result;
  }

  const char* part(size_t offset, size_t size) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) refuse("an object cut short");
    return bytes_.data() + offset;
  }

  std::string name(size_t offset) const {
    const size_t start = strings_ + offset;
    const size_t end = bytes_.find('\0', start);
    if (end == std::string_view::npos) refuse("a name without an end");
    return std::string(bytes_.substr(start, end - start));
  }

  std::vector<Elf64_Shdr> sections;
  std::vector<Elf64_Sym> symbols;

 private:
  std::string_view bytes_;
  size_t strings_ = 0;
};

bool is_kept(const Elf64_Shdr& section) {
  if (!(section.sh_flags & SHF_ALLOC) || !section.sh_size) return false;
  switch (section.sh_type) {
    case SHT_PROGBITS: case SHT_NOBITS: case SHT_INIT_ARRAY: case kUnwindSection: return true;
    default: refuse("sections of type " + std::to_string(section.sh_type));
  }
}

// Where sections go: code and constants, then stubs, then on pages of their own the variables.
struct Layout {
  std::vector<int64_t> places;  // -1: not loaded
  size_t stubs = 0, variables = 0, size = 0;

  explicit Layout(const Object& object) : places(object.sections.size(), -1) {
    const auto place = [&](bool writable, size_t* end) {
      for (size_t i = 0; i < places.size(); ++i) {
        const Elf64_Shdr& section = object.sections[i];
        if (!is_kept(section) || static_cast<bool>(section.sh_flags & SHF_WRITE) != writable)
          continue;
        *end = up(*end, std::max<size_t>(section.sh_addralign, 1));
        places[i] = static_cast<int64_t>(*end);
        *end += section.sh_size;
      }
    };
    size_t end = 0;
    place(false, &end);
    stubs = up(end, kStub);
    variables = up(stubs + kStub * object.symbols.size(),
                   static_cast<size_t>(sysconf(_SC_PAGESIZE)));
    size = variables;
    place(true, &size);
  }
};

uintptr_t in_process(const std::string& name) {
  static void* const mathematics = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
  void* address = dlsym(RTLD_DEFAULT, name.c_str());
  if (!address && mathematics) address = dlsym(mathematics, name.c_str());
  return reinterpret_cast<uintptr_t>(address);
}

}  // namespace

bool Image::is_supported() { return true; }

Image::Image(std::string_view bytes, const Resolver& resolve) {
  const Object object(bytes);
  const Layout layout(object);
  const size_t count = object.symbols.size();
  std::vector<uintptr_t> values(count);
  std::vector<bool> external(count);
  for (size_t i = 1; i < count; ++i) {
    const Elf64_Sym& symbol = object.symbols[i];
    if (symbol.st_shndx != SHN_UNDEF || !symbol.st_name) continue;
    const std::string name = object.name(symbol.st_name);
    values[i] = resolve(name);
    if (!values[i]) values[i] = in_process(name);
    if (!values[i]) refuse("no symbol " + name);
    external[i] = true;
  }
  size_ = layout.size;
  void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  base_ = static_cast<char*>(memory);
  const auto base = reinterpret_cast<uintptr_t>(base_);
  try {
    for (size_t i = 0; i < layout.places.size(); ++i) {
      const Elf64_Shdr& section = object.sections[i];
      if (layout.places[i] >= 0 && section.sh_type != SHT_NOBITS)
        std::memcpy(base_ + layout.places[i], object.part(section.sh_offset, section.sh_size),
                    section.sh_size);
    }
    for (size_t i = 1; i < count; ++i) {
      const Elf64_Sym& symbol = object.symbols[i];
      if (symbol.st_shndx == SHN_ABS) {
        values[i] = symbol.st_value;
      } else if (symbol.st_shndx != SHN_UNDEF && symbol.st_shndx < layout.places.size() &&
                 layout.places[symbol.st_shndx] >= 0) {
        values[i] = base + layout.places[symbol.st_shndx] + symbol.st_value;
        if (ELF64_ST_BIND(symbol.st_info) != STB_LOCAL && symbol.st_name)
          symbols_[object.name(symbol.st_name)] = values[i];
      }
    }
    std::vector<char*> stubs(count);
    char* next = base_ + layout.stubs;
    const auto stub = [&](size_t number) {
      if (!stubs[number]) {
        stubs[number] = next;
        next += kStub;
        std::memcpy(stubs[number], "\xff\x25\x02\x00\x00\x00\x90\x90", kAddressInStub);
        put<uint64_t>(stubs[number] + kAddressInStub, values[number]);
      }
      return reinterpret_cast<uintptr_t>(stubs[number]);
    };
    const auto relative = [&](char* place, int64_t distance) {
      if (distance != static_cast<int32_t>(distance)) refuse("a jump too far");
      put<int32_t>(place, static_cast<int32_t>(distance));
    };
    for (const Elf64_Shdr& section : object.sections) {
      if (section.sh_type != SHT_RELA || section.sh_info >= layout.places.size() ||
          layout.places[section.sh_info] < 0 ||
          object.sections[section.sh_info].sh_type == kUnwindSection)  // is not registered
        continue;
      const size_t limit = object.sections[section.sh_info].sh_size;
      for (const auto& entry : object.table<Elf64_Rela>(section.sh_offset,
                                                        section.sh_size / sizeof(Elf64_Rela))) {
        const size_t number = ELF64_R_SYM(entry.r_info);
        if (number >= count || entry.r_offset + 4 > limit) refuse("a reference out of bounds");
        char* place = base_ + layout.places[section.sh_info] + entry.r_offset;
        const auto at = static_cast<int64_t>(reinterpret_cast<uintptr_t>(place));
        const auto value = static_cast<int64_t>(values[number]);
        switch (ELF64_R_TYPE(entry.r_info)) {
          case R_X86_64_64:
            if (entry.r_offset + 8 > limit) refuse("a reference out of bounds");
            put<int64_t>(place, value + entry.r_addend);
            break;
          case R_X86_64_PC32:
          case R_X86_64_PLT32:
            relative(place, (external[number] ? static_cast<int64_t>(stub(number)) : value) +
                                entry.r_addend - at);
            break;
          case R_X86_64_GOTPCREL:
          case R_X86_64_GOTPCRELX:
          case R_X86_64_REX_GOTPCRELX:
            relative(place, static_cast<int64_t>(stub(number) + kAddressInStub) + entry.r_addend -
                                at);
            break;
          case R_X86_64_PC64:
            if (entry.r_offset + 8 > limit) refuse("a reference out of bounds");
            put<int64_t>(place, value + entry.r_addend - at);
            break;
          default:
            refuse("relocations of type " + std::to_string(ELF64_R_TYPE(entry.r_info)));
        }
      }
    }
    if (mprotect(base_, layout.variables, PROT_READ | PROT_EXEC) != 0)
      refuse("executable memory is refused");
  } catch (...) {
    munmap(base_, size_);
    throw;
  }
}

Image::~Image() {
  if (base_) munmap(base_, size_);
}

#else

bool Image::is_supported() { return false; }

Image::Image(std::string_view, const Resolver&) {
  throw std::runtime_error("objects of another system");
}

Image::~Image() = default;

#endif

uintptr_t Image::address(const std::string& name) const {
  const auto found = symbols_.find(name);
  return found == symbols_.end() ? 0 : found->second;
}

}  // namespace vires
