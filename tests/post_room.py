"""What a desk's facts give reason to write, judged as the notifier does: at the desk's time, on whole streams."""

from collections import defaultdict
from uuid import UUID

from application.journal import Provenance, Recorded
from application.news import News, news_of, template_of
from application.notifying import Channel, Delivery, Moot, Notice, Template, delivery_id, notice_of
from tests.desk import Desk


class PostRoom:
    """Of the desk's facts as they are when it is asked. All of them happened at the desk's present time."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def journal(self) -> list[Recorded]:
        versions: defaultdict[UUID, int] = defaultdict(int)
        recorded = []
        for position, (stream_id, fact) in enumerate(self.desk.facts, 1):
            versions[stream_id] += 1
            provenance = Provenance(
                organization_id=self.desk.organization_id,
                actor_id=self.desk.staff.account_id,
                at=self.desk.now,
                command_id=UUID(int=position),
            )
            recorded.append(Recorded(position, stream_id, versions[stream_id], fact, provenance))
        return recorded

    def streams(self) -> dict[UUID, list[Recorded]]:
        streams: defaultdict[UUID, list[Recorded]] = defaultdict(list)
        for recorded in self.journal():
            streams[recorded.stream_id].append(recorded)
        return dict(streams)

    def notices(self, about_id: UUID) -> list[Notice]:
        found = (notice_of(recorded) for recorded in self.journal())
        return [notice for notice in found if notice and notice.about_id == about_id]

    def mails(self, about_id: UUID) -> list[Delivery]:
        """One for each notice about an appointment or a series that is not silent."""
        streams = self.streams()
        found = [(notice, template_of(notice, streams)) for notice in self.notices(about_id)]
        return [mail(notice, template, about_id) for notice, template in found if template]

    def verdict(self, delivery: Delivery) -> News | Moot:
        return news_of(delivery, self.streams(), now=self.desk.now)

    def told(self, about_id: UUID) -> list[tuple[Template, Moot | None]]:
        """The templates, oldest first, each with why it is not sent after all; None: it is."""
        verdicts = [(one.template, self.verdict(one)) for one in self.mails(about_id)]
        return [(template, verdict if isinstance(verdict, Moot) else None) for template, verdict in verdicts]


def mail(notice: Notice, template: Template, recipient_id: UUID) -> Delivery:
    return Delivery(
        id=delivery_id(notice, template, Channel.EMAIL, recipient_id),
        notice=notice,
        template=template,
        channel=Channel.EMAIL,
        recipient_id=recipient_id,
    )
