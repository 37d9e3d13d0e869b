"""Who serves which requirement, where one candidate may suit several: all are met if there is any way to do so."""

from collections.abc import Callable, Iterable
from uuid import UUID


class Matching:
    """Requirements, by their index, are met one after another; no candidate serves two.

    ``in_order``: the candidates of a requirement, best first. ``serves``: whether one of them could serve it. Both
    always answer the same; neither is asked for more than is needed. ``place_of``: who serves which by now.
    """

    def __init__(self, in_order: Callable[[int], Iterable[UUID]], serves: Callable[[int, UUID], bool]) -> None:
        self._in_order = in_order
        self._serves = serves
        self.place_of: dict[UUID, int] = {}

    def meet(self, place: int) -> frozenset[int]:
        """Give one more requirement its best candidate that no other has.

        If there is none, those before it move to other candidates to make room (augmenting paths: H. W. Kuhn, 1955).
        The answer is empty; or, where nothing helps, the requirements that compete for too few candidates, ``place``
        among them.
        """
        competing = {place}
        return frozenset() if self._seat(place, set(), competing) else frozenset(competing)

    def candidates(self) -> tuple[UUID, ...]:
        """Who serves each requirement that was met, in the order of their indices."""
        by_place = {place: candidate for candidate, place in self.place_of.items()}
        return tuple(by_place[place] for place in sorted(by_place))

    def _seat(self, place: int, asked_to_move: set[UUID], competing: set[int]) -> bool:
        for candidate in self._in_order(place):
            if candidate not in self.place_of and self._serves(place, candidate):
                self.place_of[candidate] = place
                return True
        for candidate in self._in_order(place):
            if candidate in self.place_of and candidate not in asked_to_move and self._serves(place, candidate):
                asked_to_move.add(candidate)
                competing.add(self.place_of[candidate])
                if self._seat(self.place_of[candidate], asked_to_move, competing):
                    self.place_of[candidate] = place
                    return True
        return False
