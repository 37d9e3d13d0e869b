"""How a notice becomes messages, each of them sent once or not at all, never twice.

No provider offers an idempotency key. So a message is marked in doubt, durably, before its provider is
called; whatever the call does not settle is asked of the provider afterwards; and what the provider cannot
tell is parked as unknown, for a human to decide, rather than sent again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from application.clock import Clock
from application.decision import State
from application.ledger import Doubt, Ledger, Taking
from application.letters import LETTERS, Letter, addressed, code_ids, letter_occasion, letter_of
from application.manage_links import CARRIERS, LinksToSend, manage_url
from application.message_sources import Contacts, FactStreams, Renderer
from application.message_tally import Tally
from application.news import (
    News,
    folded,
    news_of,
    occasion,
    only_channel,
    recipient_of,
    streams_behind,
    template_of,
    visits_told,
)
from application.notifying import (
    MESSAGE_AGE_MAX,
    Channel,
    Delivery,
    LetterOccasion,
    Moot,
    Notice,
    Occasion,
    Template,
    address_of,
    deliveries_of,
)
from application.one_time_codes import Enclosures
from application.providers import Absent, Accepted, CannotTell, Message, Refused, Sender, Unclear
from application.vault import Person
from domain.resource import Resource

FAN_OUT_NOTICES_MAX = 200
ATTEMPTS_MAX = 20
BACK_OFF_MAX = timedelta(minutes=15)


def _unreported(_delivery: Delivery, _state: str, _reason: str) -> None: ...


@dataclass(slots=True, kw_only=True)
class Dispatcher:
    """Works the ledger off. ``clock`` is the one that facts are dated by; retries run on real time.

    ``public_url``: what links in messages begin with. One thread calls ``step``; the providers are called in
    ``threads``, at most ``in_flight_max`` at a time.
    """

    ledger: Ledger
    streams: FactStreams
    contacts: Contacts
    enclosures: Enclosures
    links: LinksToSend
    renderer: Renderer
    senders: Mapping[Channel, Sender]
    clock: Clock
    threads: Executor
    public_url: str
    in_flight_max: int = 8
    report: Callable[[Delivery, str, str], None] = _unreported
    tally: Tally = field(default_factory=Tally)
    _in_flight: set[Future[None]] = field(default_factory=set)

    def step(self) -> bool:
        """Do what there is to do now; False if there was nothing. Raises what a call of the ledger raised."""
        return any([self.fan_out(), self.dispatch(), self.reconcile()])

    def drain(self) -> None:
        """Wait for the calls that are under way. Whatever is not settled then stays in doubt."""
        self._free(wait_for_all=True)

    def fan_out(self) -> bool:
        """Turn notices into one intent for each channel by which the customer can be reached at this moment."""
        with self.ledger.fan_out(FAN_OUT_NOTICES_MAX) as taken:
            if not taken.notices:
                return False
            streams = self.streams.load(_streams_of(taken.notices))
            reasons: dict[Notice, tuple[Template, UUID]] = {}
            for notice in taken.notices:
                template, recipient_id = template_of(notice, streams), recipient_of(notice, streams)
                if template and recipient_id:
                    reasons[notice] = template, recipient_id
            people = self.contacts.people((notice.organization_id, one) for notice, (_, one) in reasons.items())
            deliveries = [
                delivery
                for notice, (template, one) in reasons.items()
                for delivery in deliveries_of(notice, template, one, people.get(one), only_channel(notice, streams))
            ]
            taken.spread(deliveries)
        self.tally.add("intent", len(deliveries))
        return True

    def dispatch(self) -> bool:
        """Send what is due: judged on the journal as it is now, marked in doubt, then handed to the providers."""
        free = self._free()
        if not free:
            return True
        with self.ledger.take(free) as taken:
            if not taken.deliveries:
                return False
            ready = self._judge(taken)
            doubted = taken.doubt([delivery for delivery, _ in ready])
        # From here on a crash leaves doubt, never a second message.
        for delivery, (_, message) in zip(doubted, ready, strict=True):
            self._in_flight.add(self.threads.submit(self._send, delivery, message))
        return True

    def _free(self, *, wait_for_all: bool = False) -> int:
        """How many calls may be added; waits until one may."""
        full = len(self._in_flight) >= self.in_flight_max
        if self._in_flight and wait_for_all:
            wait(self._in_flight)
        elif full:
            wait(self._in_flight, timeout=1.0, return_when=FIRST_COMPLETED)
        done = {call for call in self._in_flight if call.done()}
        self._in_flight -= done
        for call in done:
            call.result()
        return max(0, self.in_flight_max - len(self._in_flight))

    def _judge(self, taken: Taking) -> list[tuple[Delivery, Message]]:
        due = self._newsworthy(taken)
        states = self._states_behind([news for _, news in due])
        people = self.contacts.people(_subjects([delivery for delivery, _ in due], states))
        ready: list[tuple[Delivery, Message]] = []
        for delivery, news in due:
            person = people.get(delivery.recipient_id)
            if isinstance(news, Letter):
                to = addressed(news, person, delivery.channel)
            else:
                to = address_of(person, delivery.channel) if person else None
            if not to:
                self._skip(taken, delivery, "unreachable")  # erased, or the address was removed
                continue
            try:
                about = self._about(delivery, news, states, people)
                locale = person.locale if person else None
                content = self.renderer.render(delivery.template, delivery.channel, locale, about)
            except Exception as unwritable:  # noqa: BLE001  one that cannot be written must not hold up the others
                self._skip(taken, delivery, f"unwritable_{type(unwritable).__name__}")
                continue
            has_link = isinstance(news, News) and news.manage_url is not None
            message = Message(
                delivery_id=delivery.id, to=to, content=content, reference=about.reference, has_link=has_link
            )
            ready.append((delivery, message))
        return ready

    def _about(
        self,
        delivery: Delivery,
        news: News | Letter,
        states: Mapping[UUID, State | None],
        people: Mapping[UUID, Person],
    ) -> Occasion | LetterOccasion:
        if isinstance(news, News):
            return occasion(delivery, news, states, people)
        person = people.get(delivery.recipient_id)
        return letter_occasion(delivery, news, states, person, public_url=self.public_url)

    def _newsworthy(self, taken: Taking) -> list[tuple[Delivery, News | Letter]]:
        """Those that still have something to say, and a provider to say it through."""
        streams = dict(self.streams.load(_streams_of([delivery.notice for delivery in taken.deliveries])))
        told = {visit for delivery in taken.deliveries for visit in visits_told(delivery.notice, streams)}
        streams |= self.streams.load(list(told - streams.keys()))
        enclosed = self.enclosures.enclosed(code_ids(taken.deliveries))
        now = self.clock.now()
        due: list[tuple[Delivery, News | Letter]] = []
        for delivery in taken.deliveries:
            is_letter = delivery.template in LETTERS
            news = letter_of(delivery, streams, enclosed) if is_letter else news_of(delivery, streams, now=now)
            if isinstance(news, Moot):
                self._skip(taken, delivery, news)
            elif delivery.channel not in self.senders:
                self._skip(taken, delivery, "no_provider")
            else:
                due.append((delivery, news))
        return self._with_links(due)

    def _with_links(self, due: Sequence[tuple[Delivery, News | Letter]]) -> list[tuple[Delivery, News | Letter]]:
        """What was booked without an account is managed by a link; the first message on it brings that along."""
        asked = {(one.notice.organization_id, one.notice.about_id) for one, _ in due if one.template in CARRIERS}
        tokens = self.links.tokens(asked)
        urls = {its: manage_url(self.public_url, whose, tokens[its]) for whose, its in asked if its in tokens}
        return [
            (one, replace(news, manage_url=urls.get(one.notice.about_id)) if isinstance(news, News) else news)
            for one, news in due
        ]

    def _skip(self, taken: Taking, delivery: Delivery, reason: str) -> None:
        taken.skip(delivery, reason)
        self._tell(delivery, "skipped", reason)

    def _tell(self, delivery: Delivery, state: str, reason: str = "") -> None:
        self.tally.add(state)
        self.report(delivery, state, reason)

    def _states_behind(self, news: Sequence[News | Letter]) -> dict[UUID, State | None]:
        """The present states of what the messages name."""
        named = {one.organization_id for one in news if isinstance(one, Letter)}
        named |= {stream_id for one in news if isinstance(one, News) for stream_id in streams_behind(one)}
        states = {stream_id: folded(stream) for stream_id, stream in self.streams.load(list(named)).items()}
        places = {state.location_id for state in states.values() if isinstance(state, Resource) and state.location_id}
        if places:
            states |= {stream_id: folded(stream) for stream_id, stream in self.streams.load(list(places)).items()}
        return states

    def _send(self, delivery: Delivery, message: Message) -> None:
        match self.senders[delivery.channel].send(message):
            case Accepted(provider_id):
                self.ledger.sent(delivery, provider_id)
                if message.has_link:
                    self.links.sent(delivery.notice.about_id)
                self._tell(delivery, "sent")
            case Refused(reason, lasting, _) if lasting or delivery.attempt >= ATTEMPTS_MAX:
                self.ledger.failed(delivery, reason)
                self._tell(delivery, "failed", reason)
            case Refused(reason, _, retry_after):
                self.ledger.again(delivery, reason, max(back_off(delivery.attempt), retry_after or timedelta()))
                self._tell(delivery, "retry", reason)
            case Unclear(reason):
                self.ledger.ask_later(delivery, reason, back_off(1))
                self._tell(delivery, "in_doubt", reason)

    def reconcile(self) -> bool:
        """Ask the providers about messages in doubt."""
        free = self._free()
        doubts = self.ledger.doubts(free) if free else ()
        if not doubts:
            return False
        people = self.contacts.people((d.delivery.notice.organization_id, d.delivery.recipient_id) for d in doubts)
        for doubt in doubts:
            person = people.get(doubt.delivery.recipient_id)
            self._in_flight.add(self.threads.submit(self._look_into, doubt, person))
        return True

    def _look_into(self, doubt: Doubt, person: Person | None) -> None:
        delivery = doubt.delivery
        sender = self.senders.get(delivery.channel)
        to = person and address_of(person, delivery.channel)
        if sender is None or not to:
            self._park(delivery, "unreachable" if sender else "no_provider")
            return
        match sender.find(delivery.id, to, doubt.attempted_at):
            case Accepted(provider_id):
                self.ledger.sent(delivery, provider_id)
                if delivery.template in CARRIERS:
                    self.links.sent(delivery.notice.about_id)
                self._tell(delivery, "sent", "reconciled")
            case Absent() if doubt.age >= sender.conclusive_after:
                self.ledger.again(delivery, "not_taken", timedelta())
                self._tell(delivery, "retry", "not_taken")
            case Absent():
                self.ledger.ask_later(delivery, "not_listed_yet", sender.conclusive_after - doubt.age)
            case CannotTell(reason):
                self._park(delivery, reason)
            case Unclear(reason) if doubt.age > MESSAGE_AGE_MAX:
                self._park(delivery, reason)
            case Unclear(reason):
                self.ledger.ask_later(delivery, reason, min(doubt.age + back_off(1), BACK_OFF_MAX))

    def _park(self, delivery: Delivery, reason: str) -> None:
        self.ledger.park(delivery, reason)
        self._tell(delivery, "unknown", reason)


def back_off(attempt: int) -> timedelta:
    """1, 2, 4 … seconds, at most ``BACK_OFF_MAX``."""
    return min(timedelta(seconds=2 ** min(attempt - 1, 20)), BACK_OFF_MAX)


def _streams_of(notices: Sequence[Notice]) -> list[UUID]:
    return list({stream_id for notice in notices for stream_id in (notice.stream_id, notice.about_id)})


def _subjects(due: Sequence[Delivery], states: Mapping[UUID, State | None]) -> Iterable[tuple[UUID, UUID]]:
    """The customers, and the resources, whose names are in the vault too."""
    yield from ((delivery.notice.organization_id, delivery.recipient_id) for delivery in due)
    yield from ((state.organization_id, state.id) for state in states.values() if isinstance(state, Resource))
