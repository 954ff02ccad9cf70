"""Engines: what runs operations and compiled programs."""

from vires.engine.engine import register
from vires.engine.llvm.engine import LLVMEngine
from vires.engine.reference import ReferenceEngine

register("reference", ReferenceEngine)
register("llvm", LLVMEngine)
