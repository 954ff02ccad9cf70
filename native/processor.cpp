#include "processor.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace vires::processor {
namespace {

constexpr int kWidest = 64, kNarrowest = 16;

int widest_vector() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return kWidest;
  if (__builtin_cpu_supports("avx2")) return 32;
#endif
  return kNarrowest;
}

}  // namespace

int vector_bytes() {
  static const int bytes = [] {
    const char* text = std::getenv("VIRES_VECTOR_BYTES");
    const int most = text ? std::atoi(text) : kWidest;
    return std::min(widest_vector(), std::max(most, kNarrowest));
  }();
  return bytes;
}

std::string narrowed(std::string features) {
#if defined(__x86_64__)
  std::vector<std::string> unwanted;
  if (vector_bytes() < 64) unwanted = {"+avx512", "+avx10"};
  if (vector_bytes() < 32)
    unwanted.insert(unwanted.end(), {"+avx", "+fma", "+f16c", "+vaes", "+vpclmulqdq", "+xop"});
  for (const std::string& name : unwanted)
    for (size_t at = features.find(name); at != std::string::npos; at = features.find(name, at))
      features[at] = '-';
#endif
  return features;
}

}  // namespace vires::processor
