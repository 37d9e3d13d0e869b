"""A journal on its own: JSON Lines of facts, of what the tree keeps of each, and of checkpoints, in journal order.

A line has members of a fact, of its leaf, or of both: a leaf without a fact is a fact that is missing, a fact without
a leaf one that was put in. ``nodes`` are the subtrees that the leaf completes. After the last leaf of a checkpoint's
tree comes the checkpoint.
"""

from collections.abc import Iterable, Iterator
from typing import IO
from uuid import UUID

import msgspec

LINE_BYTES_MAX = 4 * 2**20


class Line(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """``position`` is the fact's and its leaf's. Bytes are base64."""

    position: int
    stream_id: UUID | None = None
    version: int | None = None
    topic: str | None = None
    state: bytes | None = None
    index: int | None = None
    leaf: bytes | None = None
    nodes: list[bytes] = []
    checkpoint: str | None = None


class Unreadable(Exception):  # noqa: N818  reads as what it says
    """A line that is none of an export's. ``number`` counts from 1."""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number} is none of an export's")
        self.number = number


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Line)


def write(lines: Iterable[Line], file: IO[bytes]) -> int:
    """How many were written."""
    written = 0
    for line in lines:
        file.write(_ENCODER.encode(line) + b"\n")
        written += 1
    return written


def read(file: IO[bytes]) -> Iterator[Line]:
    """In bounded memory. Raises ``Unreadable``."""
    number = 0
    while text := file.readline(LINE_BYTES_MAX):
        number += 1
        try:
            yield _DECODER.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Unreadable(number) from None
