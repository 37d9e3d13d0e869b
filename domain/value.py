"""Values that a decision makes by the dozen: frozen for whoever checks types, plain when they run.

A frozen dataclass sets each of its fields through a method of ``object``, which takes several times as long as making
the object. That nobody changes a value is proved before anything runs: the type checker takes ``value`` for
``dataclass``, and refuses to assign to what is declared frozen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:

    def value(*, frozen: bool, **how: Any) -> Callable[[type], type]:
        """As ``dataclass(frozen=True, …)``: equal by their fields, and hashed by them."""
        return dataclass(unsafe_hash=frozen, **how)


__all__ = ["value"]
