"""Loads object code into the process without LLVM: a small linker for x86-64 ELF objects.

A program from the cache runs without importing llvmlite. Objects that this loader
does not understand (other
processors, other relocations) go to LLVM's own linker.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import struct
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_PROGBITS_TYPES = frozenset((1, 14, 15, 0x70000001))  # data, initialisers, unwinding tables
_NOBITS, _RELA, _SYMTAB = 8, 4, 2
_WRITABLE, _ALLOCATED = 1, 2
_VARIABLES = 1 << 40
_ABSOLUTE, _COMMON = 0xFFF1, 0xFFF2
_R_64, _R_PC32, _R_PLT32, _R_GOTPCREL, _R_32, _R_32S, _R_PC64, _R_GOTPCRELX, _R_REX_GOTPCRELX = (
    1,
    2,
    4,
    9,
    10,
    11,
    24,
    41,
    42,
)
_STUB = 16  # jmp *[rip + 2]; padding; address


class NotUnderstood(Exception):
    """The object has something that this loader does not know."""


class Section(NamedTuple):
    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


def is_supported() -> bool:
    """Whether objects for this machine are of the kind that the loader knows."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


class Image:
    """Machine code in memory, freed with this object."""

    def __init__(self, memory: mmap.mmap, symbols: dict[str, int]) -> None:
        self._memory = memory
        self._symbols = symbols

    def address(self, symbol: str) -> int:
        """The address of a function of the object."""
        return self._symbols[symbol]


@lru_cache(maxsize=1)
def _process() -> ctypes.CDLL:
    return ctypes.CDLL(None)


@lru_cache(maxsize=512)
def process_symbol(name: str) -> int:
    """The address of a C function of the process (the C library and its mathematics)."""
    for library in (_process(), _mathematics()):
        try:
            function = getattr(library, name)
        except AttributeError:
            continue
        address = ctypes.cast(function, ctypes.c_void_p).value
        if address is not None:
            return address
    raise NotUnderstood(f"no symbol {name}")


@lru_cache(maxsize=1)
def _mathematics() -> ctypes.CDLL:
    return ctypes.CDLL("libm.so.6")


def load(image: bytes, names: Mapping[str, int]) -> Image:
    """Place an object in executable memory; `names` gives addresses that the process does not know
    by itself.

    Raises:
        NotUnderstood: LLVM's linker has to do it.
    """
    if len(image) < _HEADER.size or image[:6] != b"\x7fELF\x02\x01" or not is_supported():
        raise NotUnderstood("not an x86-64 ELF object")
    fields = _HEADER.unpack_from(image)
    count, start = fields[12], fields[6]
    sections = [Section(*_SECTION.unpack_from(image, start + 64 * i)) for i in range(count)]
    places, fixed, size = _place(sections)
    table = next(s for s in sections if s.type == _SYMTAB)
    strings = sections[table.link].offset
    symbols = [_SYMBOL.unpack_from(image, table.offset + 24 * i) for i in range(table.size // 24)]
    # Code and constants, stubs of calls to far functions, and on pages of their own the variables.
    stubs = _up(fixed, _STUB)
    variables = _up(stubs + _STUB * len(symbols), mmap.PAGESIZE)
    places = [p if p < _VARIABLES else p - _VARIABLES + variables for p in places]
    relocations = _relocations(image, sections, places)
    memory = mmap.mmap(-1, variables + max(size, 1), prot=mmap.PROT_READ | mmap.PROT_WRITE)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for section, place in zip(sections, places, strict=True):
        if place >= 0 and section.type != _NOBITS:
            memory[place : place + section.size] = image[
                section.offset : section.offset + section.size
            ]

    def text(offset: int) -> str:
        end = image.index(b"\0", strings + offset)
        return image[strings + offset : end].decode()

    found: dict[str, int] = {}
    values: list[int] = []
    external: dict[int, bool] = {}
    for number, (name, info, _, index, value, _) in enumerate(symbols):
        if index == 0:
            if number and name:
                label = text(name)
                values.append(names[label] if label in names else process_symbol(label))
                external[number] = True
            else:
                values.append(0)
        elif index == _ABSOLUTE:
            values.append(value)
        elif index >= _COMMON or places[index] < 0:
            values.append(0)
        else:
            values.append(base + places[index] + value)
            if info >> 4 and name:
                found[text(name)] = values[-1]
    slots: dict[int, int] = {}
    pack = struct.pack_into

    def slot(number: int) -> int:
        """The place of a symbol's stub; its address is 8 bytes into it."""
        place = slots.get(number)
        if place is None:
            place = slots[number] = stubs + _STUB * len(slots)
            memory[place : place + 8] = b"\xff\x25\x02\x00\x00\x00\x90\x90"
            pack("<Q", memory, place + 8, values[number])
        return place

    for place, kind, number, addend in relocations:
        value = values[number]
        at = base + place
        if kind == _R_64:
            pack("<Q", memory, place, (value + addend) & (1 << 64) - 1)
        elif kind in (_R_PC32, _R_PLT32):
            target = base + slot(number) if number in external else value
            pack("<i", memory, place, target + addend - at)
        elif kind in (_R_GOTPCREL, _R_GOTPCRELX, _R_REX_GOTPCRELX):
            pack("<i", memory, place, base + slot(number) + 8 + addend - at)
        elif kind == _R_PC64:
            pack("<q", memory, place, value + addend - at)
        else:
            raise NotUnderstood(f"relocation {kind}")
    _protect(base, variables)
    return Image(memory, found)


def _up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _place(sections: list[Section]) -> tuple[list[int], int, int]:
    """Offsets of the sections that are loaded (-1: not), and the sizes of the fixed and of the
    variable part.

    Offsets in the variable part are given from `_VARIABLES` on.
    """
    places: list[int] = []
    fixed = variable = 0
    for section in sections:
        if not section.flags & _ALLOCATED or not section.size:
            places.append(-1)
            continue
        if section.type not in _PROGBITS_TYPES and section.type != _NOBITS:
            raise NotUnderstood(f"section type {section.type:x}")
        alignment = max(section.alignment, 1)
        if section.flags & _WRITABLE:
            variable = _up(variable, alignment)
            places.append(_VARIABLES + variable)
            variable += section.size
        else:
            fixed = _up(fixed, alignment)
            places.append(fixed)
            fixed += section.size
    return places, fixed, variable


def _relocations(
    image: bytes, sections: list[Section], places: list[int]
) -> list[tuple[int, int, int, int]]:
    """(place in memory, kind, symbol, addend) for the sections that are loaded."""
    found: list[tuple[int, int, int, int]] = []
    for section in sections:
        if section.type != _RELA or places[section.info] < 0:
            continue
        if sections[section.info].type == 0x70000001:  # unwinding tables are not registered
            continue
        place = places[section.info]
        for offset in range(section.offset, section.offset + section.size, 24):
            where, info, addend = _RELOCATION.unpack_from(image, offset)
            found.append((place + where, info & 0xFFFFFFFF, info >> 32, addend))
    return found


def _protect(base: int, size: int) -> None:
    """Make memory executable, and no longer writable."""
    protect: Callable[..., Any] = _process().mprotect
    if protect(ctypes.c_void_p(base), ctypes.c_size_t(size), mmap.PROT_READ | mmap.PROT_EXEC):
        raise NotUnderstood("executable memory is refused")
