"""What was known when: times to positions; and what a check answers."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from tests.torture.evidence import Evidence
from tests.torture.history import OK, Call


@dataclass(slots=True)
class Verdict:
    """``looked_at``: how many there were to judge; ``violations`` name the position or the key."""

    row: int
    promise: str
    looked_at: int = 0
    violations: list[str] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def found(self, what: str) -> None:
        self.violations.append(what)


class Clock:
    """Times to positions, by what acknowledged calls tell: one that returned before a moment was in the journal then;
    one whose key was first asked for after a moment was not.
    """

    def __init__(self, evidence: Evidence) -> None:
        commands = evidence.commands
        first: dict[str, int] = {}
        returned, invoked = [], []
        for call in commands:
            first[str(call.key)] = min(call.invoked_ns, first.get(str(call.key), call.invoked_ns))
        for call in commands:
            if call.outcome == OK and call.position:
                returned.append((returned_ns(call), call.position))
                facts = evidence.by_command.get(command_id_of(evidence, str(call.key)))
                if facts:
                    invoked.append((first[str(call.key)], facts[0].position))
        self._returned, self._invoked = sorted(returned), sorted(invoked)
        self._highest = _running(self._returned, max)
        self._lowest = _running(self._invoked[::-1], min)[::-1]

    def known_before(self, call: Call) -> int:
        """The journal had come at least so far when the call began."""
        at = bisect_left(self._returned, (call.invoked_ns, 0))
        return self._highest[at - 1] if at else 0

    def interval(self, call: Call) -> tuple[int, int]:
        """The positions of which one is what the call saw: the answer must fit the state at some of them."""
        return self.known_before(call), self.unknown_after(call)

    def unknown_after(self, call: Call) -> int:
        """It had not come so far when the call returned."""
        at = bisect_right(self._invoked, (returned_ns(call), 1 << 62))
        return self._lowest[at] - 1 if at < len(self._lowest) else 1 << 62


def by_key(evidence: Evidence) -> dict[str, list[Call]]:
    found: defaultdict[str, list[Call]] = defaultdict(list)
    for call in evidence.commands:
        found[str(call.key)].append(call)
    return {key: sorted(calls, key=lambda call: call.invoked_ns) for key, calls in found.items()}


def command_id_of(evidence: Evidence, key: str) -> UUID:
    return uuid5(evidence.account_id, key)


def returned_ns(call: Call) -> int:
    return call.returned_ns if call.returned_ns is not None else 1 << 62


def _running(pairs: Sequence[tuple[int, int]], better: Callable[[int, int], int]) -> list[int]:
    found: list[int] = []
    for _, position in pairs:
        found.append(better(found[-1], position) if found else position)
    return found
