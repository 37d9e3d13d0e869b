"""Links that were sent by mail come back here; and who forgot the password asks for one. Open to anyone.

What is answered, and how soon, does not tell who has an account. Nobody is signed in by a link: whoever has chosen a
new password signs in with it, and with the second factor where there is one.
"""

from fastapi import APIRouter
from pydantic import ConfigDict
from starlette.responses import Response

from api.account_shapes import AcceptedShape, PasswordChangedShape, VerifiedShape
from api.commanding import ANONYMOUS, AnonymouslyCommanded, Call, answered
from api.contract import command
from api.operation import Operation
from api.passwords import NewPassword
from api.reading import shown, state_of
from api.sending_codes import have_code_sent
from api.values import Body, Email, LinkToken
from application.account_changes import ACCEPTED, ResetPassword, VerifyEmail, reset_password, verify_email
from application.even_time import no_sooner_than
from application.sign_in import account_named, actor_as, end_sessions
from domain.access import SessionEnding
from domain.account import Account, AccountStatus, Role
from domain.account_refusals import CodeRefused
from domain.one_time_code import Purpose
from domain.permissions import Actor

router = APIRouter(prefix="/v1/auth", tags=["sign-in"], route_class=Operation)

ASKED_AFTER_S = 0.1
"""No request for a new password is answered sooner: the work of sending a link must not show in the time."""
_TOKEN = "Ow8pNoz8T2qmn1fJ0kq1vGkCq2c5Wm6m0oYq1d3mB1YwqJ0o9nN1v0m7cB3x2zKa"  # noqa: S105  an example
_NOBODY = Actor(ANONYMOUS, ANONYMOUS, ANONYMOUS, Role.CUSTOMER)


class LinkFollowed(Body):
    model_config = ConfigDict(json_schema_extra={"example": {"token": _TOKEN}})

    token: LinkToken


class PasswordForgotten(Body):
    model_config = ConfigDict(json_schema_extra={"example": {"email": "ana@example.com"}})

    email: Email


class PasswordChosen(Body):
    model_config = ConfigDict(
        json_schema_extra={"example": {"token": _TOKEN, "password": "a longer sentence is a better password"}}
    )

    token: LinkToken
    password: NewPassword


@router.post("/verify-email", **command(VerifiedShape, "verifyEmail", None))
async def verify_one(body: LinkFollowed, call: AnonymouslyCommanded) -> Response:
    """Show that a link to verify an e-mail address has arrived there: ``token`` is what stands behind its =."""
    account = await _holder(call, Purpose.VERIFY_EMAIL, body.token)
    answer = await call.submit(
        verify_email, VerifyEmail(account_id=account.id if account else None), actor=_actor(account)
    )
    await call.ports.codes.redeem_link(Purpose.VERIFY_EMAIL, body.token)
    return answered(answer)


@router.post("/password-reset", **command(AcceptedShape, "requestPasswordReset", None, accepted=True))
async def request_reset(body: PasswordForgotten, call: AnonymouslyCommanded) -> Response:
    """Have a link sent by which a new password is chosen. The answer is the same for every address."""
    async with no_sooner_than(ASKED_AFTER_S):
        account = await account_named(call.ports.door, body.email)
        if account is not None and account.status is AccountStatus.ACTIVE:
            await have_code_sent(call, account, Purpose.RESET_PASSWORD)
    return shown(ACCEPTED, status=202)


@router.post("/password-reset/confirm", **command(PasswordChangedShape, "resetPassword", None))
async def reset_one(body: PasswordChosen, call: AnonymouslyCommanded) -> Response:
    """Choose a new password. All sessions of the account end; a second factor stays as it is.

    Nobody is signed in by it.
    """
    door, account = call.ports.door, await _holder(call, Purpose.RESET_PASSWORD, body.token)
    # Before the link is used up: what comes after it must not fail for want of anything that takes long.
    digest = await door.passwords.digest(body.password) if account else None
    answer = await call.submit(
        reset_password, ResetPassword(account_id=account.id if account else None), actor=_actor(account)
    )
    redeemed = await call.ports.codes.redeem_link(Purpose.RESET_PASSWORD, body.token)
    if account and digest and redeemed:
        await door.credentials.replace(account.id, digest)
        await end_sessions(door, account, SessionEnding.PASSWORD_CHANGED)
    elif not answer.replayed:
        raise CodeRefused  # someone else was faster with the same link
    return answered(answer)


async def _holder(call: Call, purpose: Purpose, token: str) -> Account | None:
    """Whose link it is, if it is a good one."""
    account_id = await call.ports.codes.holder(purpose, token)
    return (await state_of(call.ports, Account, account_id))[0] if account_id else None


def _actor(account: Account | None) -> Actor:
    return actor_as(account) if account else _NOBODY
