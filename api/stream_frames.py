"""The frames of ``daybook.v1+json``: what a client may say, and how it is answered."""

from typing import Annotated, Final

import msgspec

from projections.changes import Change

SUBPROTOCOL: Final = "daybook.v1+json"
FRAME_BYTES_MAX: Final = 64 * 1024
_ENVELOPE_BYTES_MAX: Final = 512
"""An ``id`` of 64 characters, escaped at worst, a position, and the names around them."""

GONE, UNSUPPORTED, TOO_BIG, INTERNAL = 1001, 1003, 1009, 1011
MALFORMED, UNAUTHENTICATED, NOT_ALLOWED, NO_SUCH_TOPIC, NO_INIT = 4400, 4401, 4403, 4404, 4408
ID_IN_USE, IDLE, TOO_MANY, FLOODING, TOO_SLOW, UNAVAILABLE = 4409, 4410, 4413, 4420, 4429, 4503

SubscriptionId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
"""The client's own name of a subscription; every frame about it carries it."""


class Init(msgspec.Struct, tag_field="op", tag="init", forbid_unknown_fields=True):
    """The first frame; later again, to stay with a fresh token of the same account."""

    token: str


class Subscribe(msgspec.Struct, tag_field="op", tag="subscribe", forbid_unknown_fields=True):
    """``since``: every change after this position first; None: what changes from now on."""

    id: SubscriptionId
    topic: Annotated[str, msgspec.Meta(max_length=200)]
    since: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None


class Unsubscribe(msgspec.Struct, tag_field="op", tag="unsubscribe", forbid_unknown_fields=True):
    id: SubscriptionId


class Pong(msgspec.Struct, tag_field="op", tag="pong", forbid_unknown_fields=True):
    """An answer to a ping; none is needed."""


FromClient = Init | Subscribe | Unsubscribe | Pong

_decoder: Final = msgspec.json.Decoder(FromClient)


class MalformedFrame(Exception):  # noqa: N818
    """Not a frame of this subprotocol; the message says what is wrong with it."""


def parsed(text: str) -> FromClient:
    """Raises ``MalformedFrame``."""
    try:
        frame: FromClient = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise MalformedFrame(str(error)) from None
    return frame


READY: Final = '{"op":"ready"}'
PING: Final = '{"op":"ping"}'


def caught_up(subscription_id: str, position: int) -> str:
    return _written(op="caught_up", id=subscription_id, position=position)


def resync(subscription_id: str) -> str:
    return _written(op="resync", id=subscription_id)


def error(code: int, title: str, subscription_id: str | None = None) -> str:
    if subscription_id is None:
        return _written(op="error", code=code, title=title)
    return _written(op="error", id=subscription_id, code=code, title=title)


def change_head(subscription_id: str) -> str:
    """The part of a change frame that is one reader's."""
    return f'{{"op":"change","id":{msgspec.json.encode(subscription_id).decode()}'


def change_tail(change: Change) -> str | None:
    """The part of a change frame that all readers share; None if the frame would be too long to be sent."""
    data = msgspec.json.format(change.data, indent=-1)
    if len(data) > FRAME_BYTES_MAX - _ENVELOPE_BYTES_MAX:
        return None
    return f',"position":{change.position},"data":{data.decode()}}}'


def _written(**members: object) -> str:
    return msgspec.json.encode(members).decode()
