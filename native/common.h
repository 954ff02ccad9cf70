// Python, an owning reference, and a vector that starts on the stack.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#if PY_VERSION_HEX < 0x030C0000
#include <structmember.h>
#define Py_T_PYSSIZET T_PYSSIZET
#define Py_READONLY READONLY
#define Py_T_OBJECT_EX T_OBJECT_EX
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace vires {

// Owns one reference to a Python object.
class Owned {
 public:
  Owned() = default;
  explicit Owned(PyObject* stolen) : object_(stolen) {}
  static Owned borrow(PyObject* object) { return Owned(Py_XNewRef(object)); }
  Owned(const Owned& other) : object_(Py_XNewRef(other.object_)) {}
  Owned(Owned&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Owned& operator=(Owned other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Owned() { Py_XDECREF(object_); }

  PyObject* get() const { return object_; }
  PyObject* release() { return std::exchange(object_, nullptr); }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

// A growing array of plain values whose first N live on the stack.
template <class T, size_t N>
class StackVector {
 public:
  StackVector() = default;
  StackVector(const StackVector&) = delete;
  StackVector& operator=(const StackVector&) = delete;
  ~StackVector() {
    if (data_ != inline_) delete[] data_;
  }

  void push(T value) {
    if (size_ == capacity_) reserve(2 * capacity_);
    data_[size_++] = value;
  }
  void resize(size_t size) {
    if (size > capacity_) reserve(size);
    size_ = size;
  }
  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }

 private:
  void reserve(size_t capacity) {
    T* grown = new T[capacity];
    std::memcpy(static_cast<void*>(grown), data_, size_ * sizeof(T));
    if (data_ != inline_) delete[] data_;
    data_ = grown;
    capacity_ = capacity;
  }

  T inline_[N];
  T* data_ = inline_;
  size_t size_ = 0;
  size_t capacity_ = N;
};

// References that are released together.
template <size_t N>
class References {
 public:
  References() = default;
  References(const References&) = delete;
  References& operator=(const References&) = delete;
  ~References() {
    for (PyObject* object : held_) Py_XDECREF(object);
  }
  void push(PyObject* stolen) { held_.push(stolen); }
  PyObject* operator[](size_t i) const { return held_[i]; }
  PyObject* const* data() const { return held_.data(); }
  size_t size() const { return held_.size(); }

 private:
  StackVector<PyObject*, N> held_;
};

}  // namespace vires
