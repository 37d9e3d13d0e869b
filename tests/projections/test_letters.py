"""Codes on their way: in the journal an id, in the message a link, and not sent once they are of no use."""

import asyncio
from uuid import UUID, uuid4

import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.one_time_codes import PostgresOneTimeCodes
from adapters.vault import Seal
from application.letters import PAGES
from application.notifying import Channel
from application.one_time_codes import Form
from application.providers import Sender
from domain.access import SignUpRepeated
from domain.account import AccountOpened, Role
from domain.one_time_code import CodeRequested, Purpose
from infra.provider_fake import Outbox
from projections.deliveries import Deliveries
from tests.projections.front_desk import EMAIL, MASTER, PHONE, PUBLIC_URL, FrontDesk, notifier, work_off


class Codes:
    """What the API does when it is asked for a code."""

    def __init__(self, front: FrontDesk) -> None:
        self.front = front

    def issue(self, purpose: Purpose, key: UUID, recipient_id: UUID, to: str | None = None) -> UUID:
        async def work() -> None:
            async with AsyncConnectionPool(self.front.url, min_size=1) as pool:
                assert await PostgresOneTimeCodes(pool, Seal(MASTER), secret=b"secret").issue(
                    purpose,
                    key,
                    code_id=code_id,
                    organization_id=self.front.desk.organization_id,
                    form=Form.LINK,
                    to=to,
                )

        code_id = uuid4()
        asyncio.run(work())
        self.front.desk.facts.append(
            (
                code_id,
                CodeRequested(code_id=code_id, purpose=purpose, key=key, recipient_id=recipient_id, channel="email"),
            )
        )
        return code_id

    def redeem(self, purpose: Purpose, token: str) -> UUID | None:
        async def work() -> UUID | None:
            async with AsyncConnectionPool(self.front.url, min_size=1) as pool:
                codes = PostgresOneTimeCodes(pool, Seal(MASTER), secret=b"secret")
                return await codes.redeem_link(purpose, token)

        return asyncio.run(work())


def states(front: FrontDesk, about_id: UUID) -> list[tuple[str, str, str | None]]:
    with front.pool.connection() as connection:
        rows = connection.execute(
            "SELECT channel, state, reason FROM deliveries.delivery WHERE about_id = %s ORDER BY position", (about_id,)
        )
        return [(channel, state, reason) for channel, state, reason in rows]


@pytest.mark.parametrize("purpose", PAGES)
def test_a_code_reaches_its_person_once_as_a_link_to_the_public_address(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender], purpose: Purpose
) -> None:
    codes, account_id = Codes(front), uuid4()
    codes.issue(purpose, account_id, front.customer(**EMAIL, **PHONE))
    for _ in range(2):
        with front.pool.connection() as connection:
            connection.execute("UPDATE deliveries.checkpoint SET position = 0")
        front.follow(Deliveries())
        with notifier(front, providers) as dispatcher:
            work_off(front, dispatcher)

    [mail] = outbox.messages
    assert (mail.channel, mail.to) == ("email", EMAIL["email"])
    link = f"{PUBLIC_URL}{PAGES[purpose]}"
    token = mail.text.partition(link)[2].split()[0]
    assert f'href="{link}{token}"' in (mail.html or "")
    assert codes.redeem(purpose, token) == account_id
    assert all(token not in str(fact) for _, fact in front.desk.facts)


def test_a_code_that_is_of_no_use_any_more_is_not_sent(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    codes, account_id, person = Codes(front), uuid4(), front.customer(**EMAIL)
    codes.issue(Purpose.RESET_PASSWORD, account_id, person)
    codes.issue(Purpose.RESET_PASSWORD, account_id, person)  # it replaces the first
    codes.issue(Purpose.VERIFY_EMAIL, account_id, person)
    with front.pool.connection() as connection:
        connection.execute("UPDATE one_time_code SET expires_at = now() WHERE purpose = 'verify_email'")
    front.follow(Deliveries())

    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)

    over = ("email", "skipped", "code_over")
    assert states(front, account_id) == [over, ("email", "sent", None), over]
    assert len(outbox.messages) == 1


def test_a_code_that_proves_an_address_goes_to_no_other(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    """Whoever may change the address in the vault must not get at the account by it."""
    person = front.customer(email="changed@since.example")
    Codes(front).issue(Purpose.RESET_PASSWORD, uuid4(), person, to="first@people.example")
    front.follow(Deliveries())

    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)

    assert [mail.to for mail in outbox.messages] == ["first@people.example"]


def test_the_owner_of_an_address_is_told_that_someone_signed_up_with_it(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    account_id = uuid4()
    opened = AccountOpened(
        account_id=account_id,
        organization_id=front.desk.organization_id,
        subject_id=front.customer(**EMAIL, **PHONE),
        role=Role.CUSTOMER,
    )
    front.desk.facts.append((account_id, opened))
    for told in (True, False):
        front.desk.facts.append((uuid4(), SignUpRepeated(account_id=account_id, told=told)))
    front.follow(Deliveries())

    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)

    assert [mail.subject for mail in outbox.messages] == ["You already have an account"]
    assert states(front, account_id) == [("email", "sent", None)]
