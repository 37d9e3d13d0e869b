"""What queries have in common: one object from the journal, pages of lists, and waiting for a read model."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from fastapi import Depends, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.identity import actor_of_request
from api.ports import Ports, ports_of
from api.position import parsed_position
from api.problems import Rejected
from application.catalogue import ensure_zone
from application.decision import O, evolved
from domain.permissions import Actor
from domain.refusals import InvalidValue, NotFound

LIMIT_MAX = 200
WINDOW_MAX = timedelta(days=62)
CURSOR_CHARS_MAX = 512
POSITION_HEADER = "journal-position"

T = TypeVar("T")
Item = TypeVar("Item")


class Listed(BaseModel, Generic[Item]):
    """One page. ``next_cursor`` is null on the last one."""

    items: list[Item]
    next_cursor: str | None


Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="At most so many items.")]
Cursor = Annotated[
    str | None, Query(max_length=CURSOR_CHARS_MAX, description="Go on where the page with this next_cursor ended.")
]


@dataclass(slots=True)
class Reading:
    """A query by someone who is signed in."""

    ports: Ports
    actor: Actor
    position: str | None

    @property
    def reads(self) -> Any:
        """Where queries are asked: it shows the rows of this organization, whatever a query asks for."""
        return self.ports.reads.of(self.actor.organization_id)

    async def caught_up(self, sink: str) -> None:
        """Wait until the read model has come as far as the client asks. Raises ``NotReached``."""
        await self.ports.fence.pass_or_raise(sink, self.actor.organization_id, self.position)

    async def require(self, kind: type[O], object_id: UUID) -> tuple[O, int]:
        """The object and its version, from the journal: always as it is now. Raises ``NotFound``."""
        state, version = await state_of(self.ports, kind, object_id)
        if state is None or state.organization_id != self.actor.organization_id:
            raise NotFound(kind.__name__.lower(), object_id)
        return state, version


async def _reading(request: Request) -> Reading:
    actor = actor_of_request(request)
    position = request.headers.get(POSITION_HEADER)
    if position is not None:
        parsed_position(position)
    return Reading(ports_of(request), actor, position)


Asked = Annotated[Reading, Depends(_reading)]


async def state_of(ports: Ports, kind: type[O], stream_id: UUID) -> tuple[O | None, int]:
    """What the stream's facts add up to, None if they make no such object; and how many they are."""
    recorded = (await ports.journal.load((stream_id,))).get(stream_id, ())
    state = None
    for one in recorded:
        state = evolved(state, one.fact)
    return (state if isinstance(state, kind) else None), len(recorded)


def shown(document: object, *, version: int | None = None, status: int = 200) -> Response:
    """The document as JSON, with its ETag if it has a version."""
    headers = {"ETag": f'"v{version}"'} if version is not None else {}
    return Response(msgspec.json.encode(document), status, headers, "application/json")


def page(
    rows: Sequence[T], limit: int, item: Callable[[T], object], place: Callable[[T], Sequence[object]]
) -> Response:
    """A page of a list; ``rows`` holds one more than ``limit`` if there is another. ``place`` is the keyset."""
    kept = rows[:limit]
    following = place(kept[-1]) if len(rows) > limit else None
    next_cursor = cursor_of(following) if following is not None else None
    return shown({"items": [item(row) for row in kept], "next_cursor": next_cursor})


def whole(items: Sequence[object]) -> Response:
    """A list that always fits one page."""
    return shown({"items": items, "next_cursor": None})


def cursor_of(place: Sequence[object]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def place_of(cursor: str | None, kind: type[T]) -> T | None:
    """The keyset in a cursor of ours. Raises ``Rejected``."""
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=kind)
    except (binascii.Error, msgspec.DecodeError, UnicodeEncodeError):
        raise Rejected("malformed-cursor", "Send the next_cursor of an earlier page as it was.") from None


def moment(day_or_instant: date, zone: ZoneInfo) -> datetime:
    """An instant as it is; a date as its first moment in ``zone``."""
    if isinstance(day_or_instant, datetime):
        return day_or_instant
    return datetime.combine(day_or_instant, time(), tzinfo=zone).astimezone(UTC)


def window(start: date, end: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """[start, end) as instants. Raises ``InvalidValue`` unless it is a window of at most 62 days."""
    first, last = moment(start, zone), moment(end, zone)
    if not first < last:
        raise InvalidValue("end", "after the start")
    # Local days may be an hour longer than 24: a date's window is measured in dates.
    if last - first > WINDOW_MAX + timedelta(hours=2):
        raise InvalidValue("end", f"at most {WINDOW_MAX.days} days after the start")
    return first, last


def zone_named(name: str) -> ZoneInfo:
    """Raises ``InvalidValue``."""
    ensure_zone(name)
    return ZoneInfo(name)


def version_of(answer: bytes) -> int:
    """The version that an answer of the writer tells."""
    return msgspec.json.decode(answer, type=_Versioned).version


class _Versioned(msgspec.Struct):
    version: int


def json_of(value: Any) -> Any:
    """The value as plain JSON values."""
    return msgspec.to_builtins(value)
