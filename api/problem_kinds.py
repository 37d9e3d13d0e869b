"""ONE table from what can be refused to a problem's type, status and title (RFC 9457).

A refusal says what is the case in typed facts; here, and only here, they become words and codes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from api.position import MalformedPosition, NotReached
from application.callbacks import CallbackRefused
from application.ended_sessions import SessionsUnknown
from application.journal import JournalUnavailable
from application.machine_clients import ClientRefused
from application.oidc import OidcRefused, ProviderUnavailable
from application.sessions import RefreshRefused
from application.sign_in import InvalidToken, SecondFactorNeeded, SecondFactorRefused, SignInRefused
from application.visiting import CodeUnderWay
from application.writer import Busy, InFlight
from domain import account_refusals, refusals
from domain.sign_in_demands import SECOND_FACTOR_REQUIRED, VERIFICATION_REQUIRED


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
    account_refusals.NotOneself: Kind("not-oneself", 409, "Nobody does this to their own account."),
    account_refusals.LastOwner: Kind("last-owner", 409, "The organization would be left without an owner."),
    account_refusals.AlreadySo: Kind("already-so", 409, "It is so already."),
    account_refusals.WrongPassword: Kind("wrong-password", 422, "That is not the present password."),
    account_refusals.IdentityTaken: Kind("identity-taken", 409, "This identity is linked with another account."),
    account_refusals.IdentityUnlinked: Kind(
        "identity-unlinked", 401, "No account is linked with this identity; sign in to yours and link it."
    ),
    account_refusals.CodeRefused: Kind("code-refused", 422, "The code is wrong, was used or replaced, or is over."),
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
    refusals.TooManyCodes: Kind("too-many-codes", 409, "No more codes are sent for this visit."),
    refusals.LinkOver: Kind("link-refused", 401, "The link manages no visit, or does not any more."),
    refusals.HoursOverlap: Kind("hours-overlap", 422, "Two spans of working hours of one day overlap."),
    refusals.InvalidValue: Kind("invalid-value", 422, "A value is not possible."),
    CodeUnderWay: Kind("code-under-way", 409, "A code is under way already; ask for another in a minute."),
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
    OidcRefused: Kind("oidc-refused", 401, "The sign-in by the identity provider does not hold; begin again."),
    ProviderUnavailable: Kind("identity-provider-unavailable", 503, "The identity provider cannot be used now."),
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
        Kind("overloaded", 503, "More is asked of this server than it can do; try again after Retry-After seconds."),
        Kind("unavailable", 503, "A server that is needed for this is away; try again."),
    )
}

KINDS: Mapping[str, Kind] = {kind.slug: kind for kind in (*REFUSALS.values(), *REJECTIONS.values())}


def kind_of(refused: Exception) -> Kind:
    """Its row; that of the nearest parent type if it has none."""
    return next(REFUSALS[ancestor] for ancestor in type(refused).__mro__ if ancestor in REFUSALS)
