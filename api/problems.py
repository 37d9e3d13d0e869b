"""Problem documents (RFC 9457): ONE table from what can be refused to type, status and title.

A refusal says what is the case in typed facts; here, and only here, they become words and codes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, cast
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.position import MalformedPosition, NotReached
from api.tracing import trace_id_of
from application.callbacks import CallbackRefused
from application.ended_sessions import SessionsUnknown
from application.journal import JournalUnavailable
from application.machine_clients import ClientRefused
from application.sessions import RefreshRefused
from application.sign_in import InvalidToken, SecondFactorNeeded, SecondFactorRefused, SignInRefused
from application.slots import Slot
from application.writer import Busy, InFlight
from domain import refusals
from domain.interval import Interval
from domain.sign_in_demands import SECOND_FACTOR_REQUIRED, VERIFICATION_REQUIRED

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1


class Rejected(Exception):  # noqa: N818
    """What the API itself says no to, before any command or query. ``slug`` names its row in ``REJECTIONS``."""

    def __init__(
        self,
        slug: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(slug, detail)
        self.slug = slug
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


class RefusedWithAlternatives(Exception):  # noqa: N818
    """A start that cannot be had, and the next ones that can."""

    def __init__(self, refusal: refusals.Refusal, alternatives: Sequence[Slot]) -> None:
        super().__init__(refusal)
        self.refusal = refusal
        self.alternatives = alternatives


class RefusedSeries(Exception):  # noqa: N818
    """Occurrences that cannot be had, and the nearest start to each that can, by the start that cannot."""

    def __init__(self, refusal: refusals.SeriesConflicts, nearest: Mapping[datetime, Slot]) -> None:
        super().__init__(refusal)
        self.refusal = refusal
        self.nearest = nearest


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of problem; its page is ``/problems/{slug}``."""

    slug: str
    status: int
    title: str


REFUSALS: Mapping[type[Exception], Kind] = {
    refusals.NotFound: Kind("not-found", 404, "There is no such object in this organization."),
    refusals.Forbidden: Kind("forbidden", 403, "Your role does not allow this."),
    refusals.VersionMismatch: Kind("stale-version", 412, "The object has changed since you read it."),
    refusals.AlreadyExists: Kind("already-exists", 409, "An object with this id was made by another command."),
    refusals.KeyReused: Kind("key-reused", 422, "This Idempotency-Key was used with another request."),
    refusals.EmailTaken: Kind("email-taken", 409, "This e-mail address already signs in to an account."),
    refusals.NotOneself: Kind("not-oneself", 409, "Nobody does this to their own account."),
    refusals.LastOwner: Kind("last-owner", 409, "The organization would be left without an owner."),
    refusals.AlreadySo: Kind("already-so", 409, "It is so already."),
    refusals.WrongPassword: Kind("wrong-password", 422, "That is not the present password."),
    refusals.CodeRefused: Kind("code-refused", 422, "The code is wrong, was used or replaced, or is over."),
    refusals.SlotTaken: Kind("slot-taken", 409, "The slot is taken."),
    refusals.OutsideWorkingHours: Kind("outside-working-hours", 409, "The resource does not work at that time."),
    refusals.ResourceClosed: Kind("resource-closed", 409, "The resource is closed at that time."),
    refusals.ClosedForHoliday: Kind("closed-for-holiday", 409, "The resource's location keeps a holiday that day."),
    refusals.ResourceRetired: Kind("resource-retired", 409, "The resource is no longer to be had at that time."),
    refusals.SessionFull: Kind("session-full", 409, "The session has too few free seats."),
    refusals.CustomerElsewhere: Kind("customer-elsewhere", 409, "The customer has another visit at that time."),
    refusals.BookingLimitReached: Kind("booking-limit-reached", 409, "No more bookings are allowed in that period."),
    refusals.TooManyOpen: Kind("too-many-open", 409, "No more visits may be open at once."),
    refusals.SeriesConflicts: Kind("series-conflicts", 409, "Some occurrences of the series cannot be had."),
    refusals.AlreadyWaiting: Kind("already-waiting", 409, "The customer waits for this service already."),
    refusals.WaitlistFull: Kind("waitlist-full", 409, "The waitlist takes no more entries."),
    refusals.TooManyWebhooks: Kind("too-many-webhooks", 409, "The organization has all the webhooks that it may have."),
    refusals.WebhookIsDisabled: Kind("webhook-disabled", 409, "The webhook is disabled; enable it first."),
    refusals.NothingOffered: Kind("nothing-offered", 409, "There is no offer to answer."),
    refusals.NothingOffersThis: Kind("nothing-offers-this", 409, "No resource meets a requirement of the service."),
    refusals.ResourceNotSuitable: Kind("resource-not-suitable", 422, "The service has no use for that resource."),
    refusals.TooSoon: Kind("too-soon", 422, "The start lies in the past or within the service's minimum notice."),
    refusals.TooFarAhead: Kind("too-far-ahead", 422, "The start lies beyond the service's booking horizon."),
    refusals.OffGrid: Kind("off-grid", 422, "The start is not on the service's slot grid."),
    refusals.NotInThatState: Kind("not-in-that-state", 409, "Its present status does not allow this."),
    refusals.HoldLapsed: Kind("hold-lapsed", 409, "The hold has lapsed; book again."),
    refusals.CancelledTooLate: Kind("cancelled-too-late", 409, "The cancellation notice has begun."),
    refusals.TooEarly: Kind("too-early", 409, "It is too early for this."),
    refusals.HoursOverlap: Kind("hours-overlap", 422, "Two spans of working hours of one day overlap."),
    refusals.InvalidValue: Kind("invalid-value", 422, "A value is not possible."),
    InFlight: Kind("in-flight", 409, "The same request is being worked on; ask again for its answer."),
    Busy: Kind("stale-decision", 503, "Too much is changing at once; try again."),
    JournalUnavailable: Kind("journal-unavailable", 503, "Nothing can be recorded at the moment; try again."),
    NotReached: Kind("not-caught-up", 503, "What you want to read has not arrived yet; try again."),
    MalformedPosition: Kind("malformed-position", 400, "Journal-Position is a whole number from an earlier answer."),
    InvalidToken: Kind("unauthenticated", 401, "A valid bearer token is needed."),
    SessionsUnknown: Kind("sessions-unknown", 503, "Whether you are still signed in cannot be told now; try again."),
    ClientRefused: Kind("client-refused", 401, "The client_id or the client_secret is wrong, or the key is over."),
    SignInRefused: Kind("sign-in-refused", 401, "The e-mail address or the password is wrong."),
    CallbackRefused: Kind("callback-refused", 403, "This is not signed by the provider, or too old."),
    SecondFactorNeeded: Kind("second-factor-needed", 401, "Signing in to this account takes a code: send otp too."),
    SecondFactorRefused: Kind("second-factor-refused", 401, "The code is wrong, was used, or is one too many."),
    RefreshRefused: Kind("refresh-refused", 401, "The refresh token is unknown, expired, used or revoked; sign in."),
}
"""Proved complete by a test: every Refusal of the domain has its row."""

REJECTIONS: Mapping[str, Kind] = {
    kind.slug: kind
    for kind in (
        Kind("malformed-request", 400, "The request cannot be read."),
        Kind("idempotency-key-missing", 400, "An Idempotency-Key of 1 to 255 visible characters is needed."),
        Kind("malformed-cursor", 400, "The cursor is not one of ours."),
        Kind("unsupported-grant", 400, "The grant_type is none of those that there are."),
        Kind(SECOND_FACTOR_REQUIRED, 403, "Your organization asks you to enrol a second factor first."),
        Kind(VERIFICATION_REQUIRED, 403, "Your organization asks you to verify your e-mail address first."),
        Kind("no-such-page", 404, "There is nothing at this address."),
        Kind("method-not-allowed", 405, "This address does not know that method."),
        Kind("origin-not-allowed", 403, "Pages of that origin may not ask here."),
        Kind("body-too-large", 413, "The body is larger than 1 MiB."),
        Kind("address-too-long", 414, "Path and query are too long."),
        Kind("headers-too-large", 431, "There are too many headers, or they are too long."),
        Kind("too-many-requests", 429, "That was asked too often; try again after Retry-After seconds."),
        Kind("unsupported-media-type", 415, "The body's media type is not the one that is needed here."),
        Kind("invalid-request", 422, "Some values are not valid."),
        Kind("if-match-missing", 428, "If-Match with the ETag that you last saw is needed."),
        Kind("unknown-parameter", 422, "A query parameter is unknown."),
        Kind("internal-error", 500, "Something went wrong on our side."),
        Kind("unavailable", 503, "A server that is needed for this is away; try again."),
    )
}

KINDS: Mapping[str, Kind] = {kind.slug: kind for kind in (*REFUSALS.values(), *REJECTIONS.values())}


def kind_of(refused: Exception) -> Kind:
    """Its row; that of the nearest parent type if it has none."""
    return next(REFUSALS[ancestor] for ancestor in type(refused).__mro__ if ancestor in REFUSALS)


def problem_of(refused: refusals.Refusal) -> dict[str, object]:
    """A refusal that is told, not answered: its type and title, and what it knows."""
    kind = kind_of(refused)
    return {"type": f"/problems/{kind.slug}", "title": kind.title, **_facts(refused)}


def told_conflict(conflict: refusals.Conflict, nearest: Mapping[datetime, Slot]) -> dict[str, object]:
    """One occurrence that cannot be had: why, and the nearest start that can, if there is one."""
    return {
        "recurrence_id": conflict.recurrence_id,
        "start": conflict.start,
        "problem": problem_of(conflict.refusal),
        "alternative": nearest.get(conflict.start),
    }


def series_response(request: Request, refused: RefusedSeries) -> Response:
    kind = kind_of(refused.refusal)
    told = [told_conflict(one, refused.nearest) for one in refused.refusal.conflicts]
    return _response(request, kind, kind.title, {"conflicts": told}, _headers(kind))


def refusal_response(request: Request, refused: Exception, alternatives: Sequence[Slot] | None = None) -> Response:
    kind = kind_of(refused)
    extra: dict[str, object] = _facts(refused)
    if alternatives is not None:
        extra["alternatives"] = alternatives
    errors = _pointed(refused)
    if errors:
        extra["errors"] = errors
    detail = (
        f"{refused.field}: {refused.reason}" if isinstance(refused, refusals.InvalidValue) else _detail(kind, extra)
    )
    return _response(request, kind, detail, extra, _headers(kind))


def rejection_response(request: Request, rejected: Rejected) -> Response:
    extra: dict[str, object] = {"errors": rejected.errors} if rejected.errors else {}
    kind = REJECTIONS[rejected.slug]
    return _response(request, kind, rejected.detail or kind.title, extra, rejected.headers)


def outage_response(request: Request) -> Response:
    kind = REJECTIONS["unavailable"]
    return _response(request, kind, kind.title, {}, _headers(kind))


def _response(
    request: Request, kind: Kind, detail: str, extra: Mapping[str, object], headers: Mapping[str, str]
) -> Response:
    document = {
        "type": f"/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": request.url.path,
        "trace_id": trace_id_of(request),
        **extra,
    }
    return Response(msgspec.json.encode(document), kind.status, headers, MEDIA_TYPE)


def _headers(kind: Kind) -> Mapping[str, str]:
    match kind.status:
        case 401 if kind.slug == "client-refused":
            return {"WWW-Authenticate": 'Basic realm="daybook"'}
        case 401:
            return {"WWW-Authenticate": 'Bearer realm="daybook"'}
        case 503:
            return {"Retry-After": str(RETRY_AFTER_S)}
        case 409 if kind.slug == "in-flight":
            return {"Retry-After": str(RETRY_AFTER_S)}
        case _:
            return {}


def _facts(refused: Exception) -> dict[str, object]:
    """What the refusal knows, beside the standard members: never another person's identity, since it has none."""
    if not isinstance(refused, refusals.Refusal):
        return {}
    facts: dict[str, object] = {}
    for field in fields(cast(Any, refused)):  # every Refusal is a dataclass
        facts[_MEMBER.get(field.name, field.name)] = _told(getattr(refused, field.name))
    return facts


def _told(value: object) -> object:
    """A conflict of many as its own problem, under the occurrence that it is about."""
    if isinstance(value, tuple):
        return [_told(one) for one in value]
    return told_conflict(value, {}) if isinstance(value, refusals.Conflict) else value


_MEMBER = {"status": "appointment_status", "kind": "object_kind"}
"""Members whose names RFC 9457 has taken, or that would be read as something else."""


def _pointed(refused: Exception) -> list[dict[str, str]]:
    match refused:
        case refusals.InvalidValue(field, reason):
            return [{"pointer": f"/{field}", "detail": reason}]
        case refusals.HoursOverlap():
            return [{"pointer": "/working_hours", "detail": kind_of(refused).title}]
        case refusals.TooSoon() | refusals.TooFarAhead() | refusals.OffGrid():
            return [{"pointer": "/start", "detail": kind_of(refused).title}]
        case refusals.SessionFull():
            return [{"pointer": "/seats", "detail": kind_of(refused).title}]
        case refusals.ResourceNotSuitable():
            return [{"pointer": "/resource_ids", "detail": kind_of(refused).title}]
        case _:
            return []


def _detail(kind: Kind, facts: Mapping[str, object]) -> str:
    told = ", ".join(f"{name} {_worded(value)}" for name, value in facts.items() if _is_plain(value))
    return f"{kind.title} ({told})" if told else kind.title


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | UUID | date | Interval)


def _worded(value: Any) -> str:
    match value:
        case datetime() | date():
            return value.isoformat()
        case Interval(start, end):
            return f"{start.isoformat()} … {end.isoformat()}"
        case _:
            return str(value)
