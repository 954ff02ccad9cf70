"""The CPU engine: kernels in LLVM IR, compiled in this process."""
