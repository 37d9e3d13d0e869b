"""Links that are sent to an account's e-mail address."""

from api.commanding import Call
from api.ports import Ports
from application.account_changes import RequestCode, request_code
from application.one_time_codes import AGAIN_AFTER, Form
from application.sign_in import account_named, actor_as
from application.vault import Person
from domain.account import Account
from domain.one_time_code import Purpose


async def have_code_sent(call: Call, account: Account, purpose: Purpose) -> None:
    """Unless one is under way, or the address that is known of the person is not the one that signs in."""
    ports, address = call.ports, await sign_in_address(call.ports, account)
    if address is None:
        return
    code_id = call.new_id(f"{purpose} {account.id}")
    if await ports.codes.issue(
        purpose,
        account.id,
        code_id=code_id,
        organization_id=account.organization_id,
        form=Form.LINK,
        to=address,
        again_after=AGAIN_AFTER,
    ):
        wanted = RequestCode(account_id=account.id, code_id=code_id, purpose=purpose)
        await call.submit(request_code, wanted, actor=actor_as(account))


async def sign_in_address(ports: Ports, account: Account) -> str | None:
    """The address that signs in to the account, if it still is what is known of the person.

    The front desk may change the latter. Were links sent there, it could sign in as the customer.
    """
    person = await ports.vault.person(account.organization_id, account.subject_id) or Person()
    if person.email is None or await account_named(ports.door, person.email) != account:
        return None
    return person.email
