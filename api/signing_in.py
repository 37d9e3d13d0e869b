"""Sign-in: tokens for a password or a refresh token, and sign-up as a customer."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from pydantic import ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from api import oidc_tickets
from api.account_shapes import RegisteredShape, TokenShape
from api.api_keys import client_of
from api.commanding import AnonymouslyCommanded, answered, idempotency_key
from api.contract import command, door
from api.oidc_shapes import VERIFIER
from api.operation import Operation
from api.passwords import NewPassword
from api.ports import ports_of
from api.problems import Rejected
from api.reading import shown
from api.signing_up import signed_up
from api.tries import guarded, remember_device
from api.values import (
    CODE_CHARS_MAX,
    EMAIL_CHARS_MAX,
    PASSWORD_CHARS_MAX,
    TOKEN_CHARS_MAX,
    Body,
    Email,
    Locale,
    Name,
    Phone,
    Push,
    normalized_email,
)
from application.accounts import RegisterAsCustomer, register_as_customer
from application.sign_in import Door, refresh, sign_in, sign_in_name_id
from application.vault import Person
from domain.account import Role
from domain.permissions import Actor

router = APIRouter(prefix="/v1/auth", tags=["sign-in"], route_class=Operation)

REFRESH_TOKEN_CHARS_MAX = 256
CLIENT_CHARS_MAX = 100
NEEDED = {
    "password": ("username", "password"),
    "refresh_token": ("refresh_token",),
    oidc_tickets.GRANT: ("ticket", "code_verifier"),
}


class Registration(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "organization_id": "3b1c8f0a-8a2f-4f0e-b6a4-5d2f6f1b0a11",
                "email": "ana@example.com",
                "password": "a long sentence is a good password",
                "display_name": "Ana Souza",
                "phone": "+5527999990000",
            }
        }
    )

    organization_id: UUID
    email: Email
    password: NewPassword
    display_name: Name
    phone: Phone | None = None
    locale: Locale | None = None
    push_token: Push | None = None


@router.post("/token", **door(TokenShape, "issueToken"))
async def issue_token(  # noqa: PLR0913, PLR0917  the fields of a form
    request: Request,
    grant_type: Annotated[str, Form(max_length=40, examples=["password"])],
    username: Annotated[str | None, Form(max_length=EMAIL_CHARS_MAX, description="The e-mail address.")] = None,
    password: Annotated[str | None, Form(max_length=PASSWORD_CHARS_MAX)] = None,
    refresh_token: Annotated[str | None, Form(max_length=REFRESH_TOKEN_CHARS_MAX)] = None,
    client_id: Annotated[str | None, Form(max_length=CLIENT_CHARS_MAX)] = None,
    client_secret: Annotated[str | None, Form(max_length=CLIENT_CHARS_MAX)] = None,
    otp: Annotated[str | None, Form(max_length=CODE_CHARS_MAX, description="A code, where it takes one.")] = None,
    ticket: Annotated[str | None, Form(max_length=TOKEN_CHARS_MAX, description="Of an identity provider.")] = None,
    code_verifier: Annotated[str | None, Form(pattern=VERIFIER)] = None,
) -> Response:
    """An access token (10 minutes) and a refresh token, for a password or for the refresh token before; an access token
    alone for a program that shows its API key, here or as HTTP Basic (client_credentials).

    An account with a second factor needs ``otp`` besides the password: a code of the device, or a recovery code.

    Whoever comes back from their identity provider brings the ticket, and the verifier of the challenge that they began
    with.

    A refresh token is good for one use: a second one revokes all that descend from the same sign-in. With an
    Idempotency-Key, which is optional here, a refresh whose answer was lost can be asked for again.
    """
    door = ports_of(request).door
    match grant_type:
        case "password" if username is not None and password is not None:
            return await _signed_in_with_password(request, normalized_email(username), password, otp)
        case "refresh_token" if refresh_token is not None:
            key = idempotency_key(request, required=False)
            actor, successor = await refresh(door, refresh_token, retry_key=key)
        case "client_credentials":
            program = await client_of(request, client_id, client_secret)
            return shown({**_token(door, program), "scope": " ".join(sorted(program.scopes or ()))})
        case oidc_tickets.GRANT if ticket is not None and code_verifier is not None:
            actor, successor = await oidc_tickets.signed_in_by_ticket(request, ticket, code_verifier)
        case "password" | "refresh_token" | oidc_tickets.GRANT:
            needed = NEEDED[grant_type]
            errors = [{"pointer": f"/{name}", "detail": "Field required"} for name in needed]
            raise Rejected("invalid-request", f"grant_type {grant_type} needs {' and '.join(needed)}.", errors=errors)
        case _:
            raise Rejected("unsupported-grant", f"grant_type is {', '.join(NEEDED)} or client_credentials.")
    return shown({**_token(door, actor), "refresh_token": successor})


async def _signed_in_with_password(request: Request, email: str, password: str, otp: str | None) -> Response:
    ports = ports_of(request)
    actor, successor = await guarded(request, email, lambda: sign_in(ports.door, email, password, otp=otp))
    answer = shown({**_token(ports.door, actor), "refresh_token": successor})
    remember_device(request, answer, email)
    return answer


def _token(door: Door, actor: Actor) -> dict[str, object]:
    tokens = door.access_tokens
    return {"access_token": tokens.issue(actor), "token_type": "Bearer", "expires_in": tokens.lifetime_s}


@router.post(
    "/register",
    **command(RegisteredShape, "registerCustomerAccount", None, creates=True, problems=(404,)),
)
async def register(body: Registration, call: AnonymouslyCommanded) -> Response:
    """Sign up with an organization as its customer: an account, and the person whom appointments are for.

    A link to verify the e-mail address is sent to it. The answer is the same where the address has an account already:
    that stays as it is, and its owner is told by mail.
    """
    account_id, subject_id = call.new_subject_id("account"), call.new_subject_id("customer")
    person = Person(
        display_name=body.display_name,
        email=body.email,
        phone=body.phone,
        locale=body.locale,
        push_token=body.push_token,
    )
    wanted = RegisterAsCustomer(
        organization_id=body.organization_id,
        account_id=account_id,
        subject_id=subject_id,
        sign_in_name_id=sign_in_name_id(call.ports.door.secret, body.email),
        code_id=call.new_subject_id("verification"),
    )
    answer = await signed_up(call, register_as_customer, wanted, person, body.password, Role.CUSTOMER)
    return answered(answer, status=201, location=f"/v1/customers/{subject_id}")
