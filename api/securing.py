"""What signs an account in, changed by whoever is signed in to it: password, second factor, a verified address."""

from types import UnionType

from fastapi import APIRouter
from pydantic import ConfigDict
from starlette.responses import Response

from api.account_shapes import AcceptedShape, PasswordChangedShape, SecondFactorBegunShape, SecondFactorShape
from api.commanding import Call, Commanded, answered
from api.contract import command
from api.operation import Operation
from api.passwords import NewPassword
from api.reading import shown, state_of
from api.sending_codes import have_code_sent
from api.tries import AsItCame, says_password_again
from api.values import Body, Code, GivenPassword, Nothing
from application.account_changes import ACCEPTED, ChangePassword, change_password
from application.second_factor import (
    ChangeSecondFactor,
    enrol_second_factor,
    remove_second_factor,
    renew_recovery_codes,
)
from application.sign_in import end_sessions
from application.vault import Person
from application.writer import Answer
from domain.access import SessionEnding
from domain.account import (
    Account,
    PasswordChanged,
    PasswordReset,
    RecoveryCodesRenewed,
    SecondFactorEnrolled,
    SecondFactorRemoved,
)
from domain.account_refusals import AlreadySo, WrongPassword
from domain.fact import Fact
from domain.one_time_code import Purpose
from domain.organization import Organization
from domain.permissions import ensure_may
from domain.refusals import NotFound

router = APIRouter(prefix="/v1/auth", tags=["sign-in"], route_class=Operation)

_CHANGES_CODES = SecondFactorEnrolled | SecondFactorRemoved | RecoveryCodesRenewed


class PasswordChange(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "current_password": "a long sentence is a good password",
                "new_password": "a longer sentence is a better password",
            }
        }
    )

    current_password: GivenPassword
    new_password: NewPassword


class SecondFactorBeginning(Body):
    model_config = ConfigDict(json_schema_extra={"example": {"password": "a long sentence is a good password"}})

    password: GivenPassword


class CodeGiven(Body):
    model_config = ConfigDict(json_schema_extra={"example": {"code": "123456"}})

    code: Code


@router.post(
    "/verify-email/request", **command(AcceptedShape, "requestVerification", "account.verify_email", accepted=True)
)
async def request_verification(call: Commanded, body: Nothing | None = None) -> Response:  # noqa: ARG001
    """Have another link sent to one's own e-mail address; nothing happens while one is under way."""
    account = await _own(call, "account.verify_email")
    if account.email_verified:
        raise AlreadySo(account.id, "verified")
    await have_code_sent(call, account, Purpose.VERIFY_EMAIL)
    return shown(ACCEPTED, status=202)


@router.post("/password", **command(PasswordChangedShape, "changePassword", "account.change_password"))
async def change_one(body: PasswordChange, call: Commanded, request: AsItCame) -> Response:
    """One's own, by the present one. All other sessions of the account end."""
    account, door = await _own(call, "account.change_password"), call.ports.door
    knows = await says_password_again(request, account, body.current_password)
    answer = await call.submit(change_password, ChangePassword(knows=knows))
    if knows and await _is_latest(call, answer, PasswordChanged | PasswordReset):
        await door.credentials.replace(account.id, await door.passwords.digest(body.new_password))
        await end_sessions(door, account, SessionEnding.PASSWORD_CHANGED, but=call.actor.session_id)
    return answered(answer)


@router.post("/second-factor", **command(SecondFactorBegunShape, "beginSecondFactor", "account.change_second_factor"))
async def begin_second_factor(body: SecondFactorBeginning, call: Commanded, request: AsItCame) -> Response:
    """A secret for an authenticator app. It is of no effect until a first code of it is confirmed."""
    account, ports = await _own(call, "account.change_second_factor"), call.ports
    if not await says_password_again(request, account, body.password):
        raise WrongPassword
    secret = await ports.door.second_factors.begin(account.id, command_id=call.command_id)
    if secret is None:
        raise AlreadySo(account.id, "enrolled")
    organization, _ = await state_of(ports, Organization, account.organization_id)
    person = await ports.vault.person(account.organization_id, account.subject_id) or Person()
    issuer = organization.name if organization else "Daybook"
    uri = ports.door.second_factors.otpauth_uri(secret, issuer=issuer, name=person.email or str(account.id))
    return shown({"secret": secret, "otpauth_uri": uri})


@router.post(
    "/second-factor/confirm", **command(SecondFactorShape, "confirmSecondFactor", "account.change_second_factor")
)
async def confirm_second_factor(body: CodeGiven, call: Commanded) -> Response:
    """From now on signing in takes a code; the answer holds recovery codes for the day that the device is lost.

    A token that was for enrolling alone is exchanged for a full one by refreshing it.
    """
    account, factors = await _own(call, "account.change_second_factor"), call.ports.door.second_factors
    proven = not account.second_factor and (await factors.confirm(account.id, body.code)).is_right
    answer = await call.submit(enrol_second_factor, ChangeSecondFactor(proven=proven))
    return answered(answer, besides=await _recovery_codes(call, answer))


@router.post(
    "/second-factor/remove", **command(SecondFactorShape, "removeSecondFactor", "account.change_second_factor")
)
async def remove_one(body: CodeGiven, call: Commanded) -> Response:
    """It takes a code. All other sessions of the account end."""
    account, door = await _own(call, "account.change_second_factor"), call.ports.door
    proven = (await door.second_factors.check(account.id, body.code)).is_right
    answer = await call.submit(remove_second_factor, ChangeSecondFactor(proven=proven))
    # Its code is used up: if a process died here, the same command again must still remove it.
    if proven or await _is_latest(call, answer, _CHANGES_CODES):
        await door.second_factors.remove(account.id)
        await end_sessions(door, account, SessionEnding.SECOND_FACTOR_CHANGED, but=call.actor.session_id)
    return answered(answer)


@router.post(
    "/second-factor/recovery-codes",
    **command(SecondFactorShape, "renewRecoveryCodes", "account.change_second_factor"),
)
async def renew_codes(body: CodeGiven, call: Commanded) -> Response:
    """Ten new ones, in place of those before. It takes a code of the device, or one of those."""
    account = await _own(call, "account.change_second_factor")
    proven = (await call.ports.door.second_factors.check(account.id, body.code)).is_right
    answer = await call.submit(renew_recovery_codes, ChangeSecondFactor(proven=proven))
    return answered(answer, besides=await _recovery_codes(call, answer))


async def _recovery_codes(call: Call, answer: Answer) -> dict[str, object]:
    """None where the command was repeated and its codes have been replaced since."""
    if not await _is_latest(call, answer, _CHANGES_CODES):
        return {}
    factors = call.ports.door.second_factors
    return {"recovery_codes": await factors.renew_recovery_codes(call.actor.account_id, command_id=call.command_id)}


async def _is_latest(call: Call, answer: Answer, kinds: type[Fact] | UnionType) -> bool:
    """Whether what the command has recorded is the last of its kind: then what it does besides may be done again."""
    recorded = (await call.ports.journal.load([call.actor.account_id]))[call.actor.account_id]
    return [one.position for one in recorded if isinstance(one.fact, kinds)][-1:] == [answer.position]


async def _own(call: Call, operation: str) -> Account:
    ensure_may(call.actor, operation, subject_id=call.actor.subject_id)
    account, _ = await state_of(call.ports, Account, call.actor.account_id)
    if account is None:
        raise NotFound("account", call.actor.account_id)
    return account
