"""Checkpoints as signed notes (C2SP ``tlog-checkpoint`` and ``signed-note``): text that anybody can keep and check.

::

    daybook.example/journal          the origin: whose tree it is
    20852                            leaves
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
    position 21033                   of the last leaf

    — daybook.example/journal Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+Z…

A public key is written ``origin+id+base64`` as C2SP's ``vkey``; its id is in each signature that it verifies.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_SIGNED_BY = "— "


class CheckpointRefused(Exception):  # noqa: N818  reads as what it says
    """A note that is no checkpoint, or that the key does not vouch for."""


class NoPublicKey(Exception):  # noqa: N818
    """Text that is no public key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """``size`` leaves, the last of them at ``position``, under ``root``."""

    size: int
    root: bytes
    position: int


class Signer:
    """Signs checkpoints of one origin with the private key of this seed."""

    def __init__(self, seed: bytes, origin: str) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._origin = origin
        public = self._private.public_key().public_bytes_raw()
        self._id = _key_id(origin, public)
        self.public_key = f"{origin}+{self._id.hex()}+{_text(_ED25519 + public)}"

    def sign(self, checkpoint: Checkpoint) -> str:
        body = f"{self._origin}\n{checkpoint.size}\n{_text(checkpoint.root)}\nposition {checkpoint.position}\n"
        signature = _text(self._id + self._private.sign(body.encode()))
        return f"{body}\n{_SIGNED_BY}{self._origin} {signature}\n"


class Verifier:
    """Opens checkpoints that the private half of ``public_key`` has signed. Raises ``NoPublicKey``."""

    def __init__(self, public_key: str) -> None:
        try:
            self._origin, named, encoded = public_key.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
            if raw[:1] != _ED25519 or _key_id(self._origin, raw[1:]).hex() != named:
                raise NoPublicKey("its parts do not belong together")
            self._public = Ed25519PublicKey.from_public_bytes(raw[1:])
        except (ValueError, binascii.Error) as wrong:
            raise NoPublicKey("it is not written origin+id+base64") from wrong
        self._id = _key_id(self._origin, raw[1:])

    def open(self, note: str) -> Checkpoint:
        """What the note says. Raises ``CheckpointRefused``."""
        body, between, signed = note.rpartition("\n\n")
        if not between:
            raise CheckpointRefused("no signature")
        body += "\n"
        if not any(self._signed(body, line) for line in signed.splitlines()):
            raise CheckpointRefused("not signed by this key")
        origin, size, root, position, *_ = [*body.splitlines(), "", "", ""]
        if origin != self._origin or not position.startswith("position "):
            raise CheckpointRefused("of another log")
        return Checkpoint(size=int(size), root=base64.b64decode(root), position=int(position.split(" ")[1]))

    def _signed(self, body: str, line: str) -> bool:
        prefix = f"{_SIGNED_BY}{self._origin} "
        if not line.startswith(prefix):
            return False
        try:
            raw = base64.b64decode(line.removeprefix(prefix), validate=True)
            self._public.verify(raw[4:], body.encode())
        except (binascii.Error, ValueError, InvalidSignature):
            return False
        return raw[:4] == self._id


def opened(note: str, verifiers: Sequence[Verifier]) -> Checkpoint:
    """By whichever key has signed it. Raises ``CheckpointRefused``."""
    for verifier in verifiers:
        with suppress(CheckpointRefused):
            return verifier.open(note)
    raise CheckpointRefused("not signed by a key that is trusted")


def _key_id(origin: str, public: bytes) -> bytes:
    return hashlib.sha256(f"{origin}\n".encode() + _ED25519 + public).digest()[:4]


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
