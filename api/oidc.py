"""Sign-in by an organization's identity provider: the browser's steps there and back, and the link with an account.

A program sends the browser by a form (a POST, for it keeps something; and a page of any site may send one), and finds a
ticket behind the # of the page that the browser comes back to. The ticket is exchanged where all tokens are.
"""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.commanding import Commanded, answered
from api.contract import command, problems_at
from api.oidc_shapes import CHALLENGE, LinkedShape, Linking
from api.operation import Operation
from api.ports import ports_of
from api.problems import Rejected
from application.identity_providers import LinkIdentity, link_identity
from application.oidc_sign_in import RETURN_TO_CHARS_MAX, begin, holder, identity_id_of, returned
from application.sign_in import knows_password
from domain.permissions import ensure_may

router = APIRouter(prefix="/v1/auth/oidc", tags=["sign-in"], route_class=Operation)

BROWSER_COOKIE: Final = "__Host-daybook-oidc"
ATTEMPT_FOR_S: Final = 600
COOKIE_CHARS_MAX: Final = 100
_THERE = {"description": "On to the next page.", "headers": {"Location": {"schema": {"type": "string"}}}}
_ANSWER: Final = ("code", "state", "iss", "error")


def step(operation_id: str, **extra: Any) -> dict[str, Any]:
    """The keyword arguments of a route that a browser is sent through."""
    return {
        "operation_id": operation_id,
        "status_code": 303,
        "response_class": RedirectResponse,
        "responses": {303: _THERE, **problems_at((400, 401, 404, 413, 422, 429, 503))},
        "openapi_extra": extra,
    }


@router.post("/{organization_id}/start", **step("beginOidcSignIn"))
async def start(
    request: Request,
    organization_id: UUID,
    return_to: Annotated[
        str,
        Form(
            max_length=RETURN_TO_CHARS_MAX, description="A page of an allowed origin.", examples=["https://a.example/"]
        ),
    ],
    code_challenge: Annotated[str, Form(pattern=CHALLENGE, description="Of the program that is to have the ticket.")],
) -> Response:
    """Send the browser to the organization's identity provider. It is known again by a cookie, for ten minutes."""
    ports = ports_of(request)
    begun = await begin(ports.oidc, ports.journal, organization_id, return_to, code_challenge)
    answer = RedirectResponse(begun.url, 303)
    _bind(answer, begun.browser, ATTEMPT_FOR_S)
    return answer


async def come_back(request: Request, organization_id: UUID) -> Response:
    """Where the provider sends the browser. It goes on to `return_to#ticket=…`; the ticket is good for a minute."""
    ports, given = ports_of(request), request.query_params
    if any(len(given.getlist(name)) > 1 for name in _ANSWER):
        raise Rejected("malformed-request", "A parameter came twice.")
    browser = request.cookies.get(BROWSER_COOKIE)
    if browser is not None and len(browser) > COOKIE_CHARS_MAX:
        browser = None
    return_to, ticket = await returned(ports.oidc, ports.door, organization_id, given, browser)
    answer = RedirectResponse(f"{return_to}#ticket={ticket}", 303)
    _bind(answer, "", 0)
    return answer


_PARAMETERS = [
    {"name": name, "in": "query", "required": name == "state", "schema": {"type": "string"}} for name in _ANSWER
]
# A plain route: whatever else a provider gives along is ignored (RFC 6749, 4.1.2), and not refused.
router.add_api_route(
    "/{organization_id}/callback",
    come_back,
    methods=["GET"],
    route_class_override=APIRoute,
    **step("endOidcSignIn", parameters=_PARAMETERS),
)


@router.post("/link", **command(LinkedShape, "linkIdentity", "account.link_identity"))
async def link(body: Linking, call: Commanded) -> Response:
    """Link one's own account, by its password, with whom the ticket is for: they sign in to it from then on."""
    ensure_may(call.actor, "account.link_identity", subject_id=call.actor.subject_id)
    ports, door = call.ports, call.ports.door
    knows = await knows_password(door, call.actor.account_id, body.password)
    ticket = await holder(ports.oidc, ports.journal, body.ticket, body.code_verifier, use=False)
    good = ticket is not None and ticket.organization_id == call.actor.organization_id
    identity_id = identity_id_of(door.secret, ticket) if ticket and good else None
    answer = await call.submit(link_identity, LinkIdentity(identity_id=identity_id, knows=knows))
    await holder(ports.oidc, ports.journal, body.ticket, body.code_verifier, use=True)
    return answered(answer)


def _bind(answer: Response, browser: str, for_s: int) -> None:
    answer.set_cookie(BROWSER_COOKIE, browser, max_age=for_s, path="/", secure=True, httponly=True, samesite="lax")
