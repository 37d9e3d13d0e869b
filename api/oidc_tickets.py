"""A ticket, for whoever came back from their identity provider, exchanged for a session."""

from uuid import UUID, uuid4

from starlette.requests import Request

from api.commanding import Call
from api.people import newcomer
from api.ports import ports_of
from api.tracing import traceparent_of
from api.values import normalized_email
from application.identity_providers import RegisterByIdentity, register_by_identity
from application.oidc import OidcRefused, Ticket
from application.oidc_sign_in import account_linked, holder, identity_id_of
from application.sign_in import sign_in_by_identity, sign_in_name_id
from application.vault import Person
from domain.account import Role
from domain.account_refusals import IdentityUnlinked
from domain.permissions import Actor

GRANT = "urn:daybook:oidc-ticket"


async def signed_in_by_ticket(request: Request, token: str, verifier: str) -> tuple[Actor, str]:
    """Who it is, and the first refresh token; a new customer where the organization takes those whom it does not know.

    Raises ``OidcRefused``, ``IdentityUnlinked``, ``EmailTaken``, ``SignInRefused``.
    """
    ports = ports_of(request)
    ticket = await holder(ports.oidc, ports.journal, token, verifier, use=True)
    if ticket is None:
        raise OidcRefused("ticket")
    identity_id = identity_id_of(ports.door.secret, ticket)
    account_id = await account_linked(ports.journal, identity_id)
    if account_id is None:
        account_id = await _new_customer(request, ticket, identity_id)
    return await sign_in_by_identity(ports.door, account_id)


async def _new_customer(request: Request, ticket: Ticket, identity_id: UUID) -> UUID:
    ports, identity = ports_of(request), ticket.identity
    if identity.email is None or not identity.email_verified:
        raise IdentityUnlinked
    email = normalized_email(identity.email)
    # No key: a ticket is good for one use, and what comes of it is told by signing in once more.
    call = Call(ports, uuid4(), b"", traceparent_of(request), request.scope["path"])
    wanted = RegisterByIdentity(
        organization_id=ticket.organization_id,
        account_id=call.new_id("account"),
        subject_id=call.new_id("customer"),
        identity_id=identity_id,
        sign_in_name_id=sign_in_name_id(ports.door.secret, email),
    )
    to_be = Actor(wanted.account_id, wanted.organization_id, wanted.subject_id, Role.CUSTOMER)
    person = Person(display_name=identity.name or email, email=email)
    try:
        async with newcomer(call, wanted.organization_id, wanted.subject_id, person, stream_id=wanted.account_id):
            await call.submit(register_by_identity, wanted, actor=to_be)
    except IdentityUnlinked:
        linked = await account_linked(ports.journal, identity_id)  # in another window, at the same time
        if linked is None:
            raise
        return linked
    return wanted.account_id
