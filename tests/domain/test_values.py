"""What a decision makes is frozen for the type checker, and equal and hashed by its fields when it runs."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.account import AccountOpened, Role
from domain.interval import Interval

NINE = datetime(2027, 3, 1, 9, tzinfo=UTC)


def test_values_and_facts_are_equal_and_hashed_by_their_fields() -> None:
    one, same, other = (Interval(NINE, NINE + hours * timedelta(hours=1)) for hours in (1, 1, 2))

    assert one == same != other
    assert len({one, same, other}) == 2


def the_type_checker_refuses_to_change(interval: Interval, fact: AccountOpened) -> None:
    """Nobody calls this: mypy does not let it be changed, or would complain of a comment that ignores nothing."""
    interval.start = NINE  # type: ignore[misc]
    fact.account_id = UUID(int=0)  # type: ignore[misc]
    assert isinstance(fact.role, Role)
