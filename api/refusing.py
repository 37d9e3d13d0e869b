"""Which exception becomes which problem document."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.identity import actor_of_request
from api.ports import ports_of
from api.problem_kinds import REFUSALS
from api.problems import (
    RefusedSeries,
    RefusedWithAlternatives,
    Rejected,
    outage_response,
    refusal_response,
    rejection_response,
    series_response,
)
from application.ended_sessions import SessionOver
from domain.access import CallForbidden, EndedSessionUsed
from domain.refusals import Forbidden, Refusal
from domain.sign_in_demands import SECOND_FACTOR_REQUIRED, VERIFICATION_REQUIRED

ERRORS_MAX = 20
_SLUG_OF_STATUS = {400: "malformed-request", 404: "no-such-page", 405: "method-not-allowed", 413: "body-too-large"}
_DETAIL = {
    "extra_forbidden": "There is no such field.",
    "missing": "This field is needed.",
}


def answer_with_problems(app: FastAPI, outages: Sequence[type[Exception]]) -> None:
    app.add_exception_handler(Refusal, _refused)
    for refused in REFUSALS:
        app.add_exception_handler(refused, _refused)
    app.add_exception_handler(Forbidden, _forbidden)
    app.add_exception_handler(SessionOver, _over)
    app.add_exception_handler(RefusedWithAlternatives, _refused_with_alternatives)
    app.add_exception_handler(RefusedSeries, _refused_series)
    app.add_exception_handler(Rejected, _rejected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for outage in outages:
        app.add_exception_handler(outage, _outage)


async def _refused(request: Request, refused: Exception) -> Response:
    return refusal_response(request, refused)


async def _forbidden(request: Request, forbidden: Exception) -> Response:
    """Noted for the auditors, before it is answered; refused in any case."""
    assert isinstance(forbidden, Forbidden)
    actor = actor_of_request(request)
    fact = CallForbidden(account_id=actor.account_id, operation=forbidden.operation, times=1)
    await ports_of(request).access_log.note_refused(actor, fact)
    for demand in (SECOND_FACTOR_REQUIRED, VERIFICATION_REQUIRED):
        if actor.scopes is not None and demand in actor.scopes:
            return rejection_response(request, Rejected(demand, ""))
    return refusal_response(request, forbidden)


async def _over(request: Request, over: Exception) -> Response:
    """Noted for the auditors, since whoever has the token should have thrown it away; refused in any case."""
    assert isinstance(over, SessionOver)
    actor = over.actor
    assert actor.session_id
    fact = EndedSessionUsed(account_id=actor.account_id, session_id=actor.session_id, times=1)
    await ports_of(request).access_log.note_refused(actor, fact)
    return refusal_response(request, over)


async def _refused_with_alternatives(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, RefusedWithAlternatives)
    return refusal_response(request, refused.refusal, refused.alternatives)


async def _refused_series(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, RefusedSeries)
    return series_response(request, refused)


async def _rejected(request: Request, rejected: Exception) -> Response:
    assert isinstance(rejected, Rejected)
    return rejection_response(request, rejected)


async def _outage(request: Request, _: Exception) -> Response:
    return outage_response(request)


async def _http(request: Request, raised: Exception) -> Response:
    """What the framework itself says no to: no such page or method, a body that cannot be read."""
    assert isinstance(raised, HTTPException)
    slug = _SLUG_OF_STATUS.get(raised.status_code, "malformed-request")
    return rejection_response(request, Rejected(slug, "", headers=raised.headers))


async def _invalid(request: Request, invalid: Exception) -> Response:
    assert isinstance(invalid, RequestValidationError)
    return rejection_response(request, _rejection(request, invalid.errors()))


def _rejection(request: Request, errors: Sequence[Mapping[str, Any]]) -> Rejected:
    if any(error["loc"][0] == "path" for error in errors):
        return Rejected("no-such-page", "What stands in the address is not an id.")
    unknown = [error for error in errors if error["loc"][0] == "query" and error["type"] == "extra_forbidden"]
    if unknown:
        known = sorted(field.alias for field in request.scope["route"].dependant.query_params)
        told = f"Here one may send: {', '.join(known) or 'none'}."
        return Rejected("unknown-parameter", told, errors=[_pointed(error) for error in unknown[:ERRORS_MAX]])
    pointed = [_pointed(error) for error in errors[:ERRORS_MAX]]
    told = "; ".join(f"{one['pointer'] or 'the body'}: {one['detail']}" for one in pointed)
    return Rejected("invalid-request", told, errors=pointed)


def _pointed(error: Mapping[str, Any]) -> dict[str, str]:
    """Where (RFC 6901; parameters by their name) and what; never what was sent, which may be a secret."""
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in error["loc"][1:]]
    message = cast(str, error["msg"]).removeprefix("Value error, ")
    return {"pointer": "".join(f"/{step}" for step in steps), "detail": _DETAIL.get(error["type"], message)}
