#include "signature_cache.h"

#include <algorithm>

#include "hash.h"

namespace vires {
namespace {

constexpr size_t kBound = 4096;

bool same_words(const CacheEntry& entry, const Signature& signature) {
  return entry.words.size() == signature.words.size() &&
         std::memcmp(entry.words.data(), signature.words.data(),
                     entry.words.size() * sizeof(uint64_t)) == 0;
}

// 1, 0, or -1 with the exception of an __eq__.
int same_objects(const CacheEntry& entry, const Signature& signature) {
  for (size_t i = 0; i < entry.objects.size(); ++i) {
    PyObject *ours = entry.objects[i].get(), *theirs = signature.objects[i];
    if (ours == theirs) continue;
    if (Py_TYPE(ours) != Py_TYPE(theirs)) return 0;
    const int equal = PyObject_RichCompareBool(ours, theirs, Py_EQ);
    if (equal != 1) return equal;
  }
  return 1;
}

}  // namespace

std::shared_ptr<CacheEntry> SignatureCache::find(const Signature& signature) {
  if (latest_ && same_words(*latest_, signature)) {
    const std::shared_ptr<CacheEntry> candidate = latest_;
    const int same = same_objects(*candidate, signature);
    if (same < 0) return nullptr;
    if (same) {
      candidate->used = ++clock_;
      return candidate;
    }
  }
  // Comparisons run Python code, which may change the table: collect the candidates first.
  const uint64_t hash = hash_words(signature.words.data(), signature.words.size());
  std::vector<std::shared_ptr<CacheEntry>> candidates;
  const auto range = entries_.equal_range(hash);
  for (auto entry = range.first; entry != range.second; ++entry)
    if (same_words(*entry->second, signature)) candidates.push_back(entry->second);
  for (const std::shared_ptr<CacheEntry>& candidate : candidates) {
    const int same = same_objects(*candidate, signature);
    if (same < 0) return nullptr;
    if (same) {
      candidate->used = ++clock_;
      latest_ = candidate;
      return candidate;
    }
  }
  return nullptr;
}

void SignatureCache::store(const Signature& signature, PyObject* executable) {
  std::vector<std::shared_ptr<CacheEntry>> dropped;  // freed at the end: destructors run Python
  if (entries_.size() >= kBound) {
    std::vector<uint64_t> times;
    for (const auto& [hash, entry] : entries_) times.push_back(entry->used);
    std::nth_element(times.begin(), times.begin() + kBound / 4, times.end());
    const uint64_t limit = times[kBound / 4];
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      if (entry->second->used < limit) {
        dropped.push_back(std::move(entry->second));
        entry = entries_.erase(entry);
      } else {
        ++entry;
      }
    }
  }
  auto entry = std::make_shared<CacheEntry>();
  entry->words.assign(signature.words.data(), signature.words.data() + signature.words.size());
  for (size_t i = 0; i < signature.objects.size(); ++i)
    entry->objects.push_back(Owned::borrow(signature.objects[i]));
  entry->executable = Owned::borrow(executable);
  entry->hash = hash_words(entry->words.data(), entry->words.size());
  entry->used = ++clock_;
  entries_.emplace(entry->hash, entry);
  dropped.push_back(std::exchange(latest_, std::move(entry)));
}

void SignatureCache::clear() {
  decltype(entries_) old;
  old.swap(entries_);
  const std::shared_ptr<CacheEntry> latest = std::exchange(latest_, nullptr);
}

int SignatureCache::traverse(visitproc visit, void* arg) const {
  for (const auto& [hash, entry] : entries_) {
    Py_VISIT(entry->executable.get());
    for (const Owned& object : entry->objects) Py_VISIT(object.get());
  }
  return 0;
}

}  // namespace vires
