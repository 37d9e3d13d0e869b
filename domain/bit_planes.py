"""Quantities over time as bits: bit i of a mask is minute i, and plane k of a quantity weighs 2^k.

So one operation on a Python integer works on weeks of minutes at once, and no cost depends on how many claims
there are. Minute 0 is wherever the caller's window begins.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

Mask = int
"""Minutes as a set."""
Planes = tuple[Mask, ...]
"""A quantity for each minute. The last plane is not empty: one quantity has one representation."""

_ONE = re.compile("1")


def minutes(start: int, end: int) -> Mask:
    """The minutes ``start`` up to, but not including, ``end``; none if there are none between."""
    return ((1 << (end - start)) - 1) << start if start < end else 0


def add(planes: Planes, where: Mask, quantity: int) -> Planes:
    """``quantity`` more at each minute of ``where``: a ripple adder, all minutes at once."""
    result: list[Mask] = []
    carry, k = 0, 0
    while k < len(planes) or quantity >> k or carry:
        plane = planes[k] if k < len(planes) else 0
        addend = where if quantity >> k & 1 else 0
        result.append(plane ^ addend ^ carry)
        carry = plane & addend | carry & (plane | addend)
        k += 1
    return _shortest(result)


def subtract(planes: Planes, where: Mask, quantity: int) -> Planes:
    """``quantity`` less at each minute of ``where``, at all of which it was there before."""
    result: list[Mask] = []
    borrow = 0
    for k, plane in enumerate(planes):
        subtrahend = where if quantity >> k & 1 else 0
        result.append(plane ^ subtrahend ^ borrow)
        borrow = ~plane & (subtrahend | borrow) | subtrahend & borrow
    assert not borrow, "more was subtracted than was there"
    assert not (where and quantity >> len(planes)), "more was subtracted than was there"
    return _shortest(result)


def free_mask(planes: Planes, capacity: int, quantity: int, width: int) -> Mask:
    """Of the first ``width`` minutes those at which ``quantity`` more would not exceed ``capacity``."""
    limit = capacity - quantity
    if limit < 0:
        return 0
    every = (1 << width) - 1
    if limit >> len(planes):
        return every
    # Bit by bit from the highest: below the limit already, or the same so far.
    below, same = 0, every
    for k in range(len(planes) - 1, -1, -1):
        if limit >> k & 1:
            below |= same & ~planes[k]
            same &= planes[k]
        else:
            same &= ~planes[k]
    return below | same


def eroded(mask: Mask, length: int) -> Mask:
    """The minutes from which ``length`` minutes in a row are in ``mask``: doubling, so log2(length) steps."""
    reach = 1
    while reach < length and mask:
        step = min(reach, length - reach)
        mask &= mask >> step
        reach += step
    return mask


def each_minute(mask: Mask) -> list[int]:
    """The minutes of a mask, ascending."""
    # Text makes this linear; taking the lowest bit off again and again copies the whole number each time.
    return [found.start() for found in _ONE.finditer(f"{mask:b}"[::-1])]


def parts(mask: Mask, bounds: Iterable[tuple[int, int]]) -> Iterator[Mask]:
    """For each of the ``bounds`` what there is from the one minute up to the other, which is its bit 0."""
    # Bytes can be cut anywhere; to shift the whole number for each part would copy all of it each time.
    data = mask.to_bytes(mask.bit_length() // 8 + 1, "little")
    for first, end in bounds:
        yield int.from_bytes(data[first // 8 : end // 8 + 1], "little") >> first % 8 & minutes(0, end - first)


def packed(planes: Planes, width: int) -> bytes:
    """The planes of ``width`` minutes (a multiple of 8) one after the other, little-endian."""
    return b"".join(plane.to_bytes(width // 8, "little") for plane in planes)


def unpacked(data: bytes, width: int) -> Planes:
    """What was ``packed``."""
    size = width // 8
    return tuple(int.from_bytes(data[at : at + size], "little") for at in range(0, len(data), size))


def joined_up(parts: Sequence[bytes], width: int) -> Planes:
    """The planes of consecutive stretches, each ``packed`` with ``width`` minutes, as one long stretch."""
    size = width // 8
    nothing = bytes(size)
    depth = max((len(part) for part in parts), default=0) // size
    views = [memoryview(part) for part in parts]  # slices of a view copy nothing
    return tuple(
        int.from_bytes(b"".join([view[k * size : (k + 1) * size] or nothing for view in views]), "little")
        for k in range(depth)
    )


def _shortest(planes: list[Mask]) -> Planes:
    while planes and not planes[-1]:
        planes.pop()
    return tuple(planes)
