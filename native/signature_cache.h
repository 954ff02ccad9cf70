// Compiled programs by signature, the least recently used dropped beyond a bound.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "signature.h"

namespace vires {

struct CacheEntry {
  uint64_t hash;
  std::vector<uint64_t> words;
  std::vector<Owned> objects;
  Owned executable;  // None: this signature goes to Python
  uint64_t used = 0;
};

class SignatureCache {
 public:
  // The entry of this signature; null when there is none, or with a Python exception of an __eq__.
  std::shared_ptr<CacheEntry> find(const Signature& signature);
  void store(const Signature& signature, PyObject* executable);
  void clear();
  size_t size() const { return entries_.size(); }
  int traverse(visitproc visit, void* arg) const;

 private:
  std::unordered_multimap<uint64_t, std::shared_ptr<CacheEntry>> entries_;
  std::shared_ptr<CacheEntry> latest_;
  uint64_t clock_ = 0;
};

}  // namespace vires
