"""What the two ways of signing up have in common: a code to verify the address, and one answer for every address."""

from api.commanding import Call
from api.people import newcomer
from application.accounts import RegisterAsCustomer, RegisterOrganization
from application.decision import UseCase
from application.one_time_codes import Form
from application.repeated_sign_up import RepeatedSignUp, note_repeated_sign_up
from application.sign_in import account_named, actor_as
from application.vault import Person
from application.writer import Answer
from domain.account import Role
from domain.one_time_code import Purpose
from domain.permissions import Actor
from domain.refusals import EmailTaken


async def signed_up(
    call: Call,
    use_case: UseCase[RegisterAsCustomer] | UseCase[RegisterOrganization],
    wanted: RegisterAsCustomer | RegisterOrganization,
    person: Person,
    password: str,
    role: Role,
) -> Answer:
    """The answer of a sign-up, also where the address has an account: then nothing but a note came of it."""
    assert person.email
    assert wanted.code_id
    try:
        async with newcomer(
            call,
            wanted.organization_id,
            wanted.subject_id,
            person,
            stream_id=wanted.account_id,
            account_id=wanted.account_id,
            password=password,
        ):
            await call.ports.codes.issue(
                Purpose.VERIFY_EMAIL,
                wanted.account_id,
                code_id=wanted.code_id,
                organization_id=wanted.organization_id,
                form=Form.LINK,
                to=person.email,
            )
            to_be = Actor(wanted.account_id, wanted.organization_id, wanted.subject_id, role)
            return await call.submit(use_case, wanted, actor=to_be)
    except EmailTaken:
        account = await account_named(call.ports.door, person.email)
        assert account  # names are never given back
        repeated = RepeatedSignUp(wanted=wanted, note_id=call.new_id("note"))
        return await call.submit(note_repeated_sign_up, repeated, actor=actor_as(account))
