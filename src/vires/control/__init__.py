"""Primitives that hold programs: jit, cond, while, scan, custom derivatives, remat, callbacks."""
