"""Primitives that hold programs: jit call, cond, while, scan, custom derivatives, remat, callbacks."""
