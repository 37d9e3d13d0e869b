"""A front desk that remembers when each fact happened, so that its past can be asked."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

from adapters.memory_journal import MemoryJournal
from application.explaining import Question, Reasons, explained
from application.journal import Draft, Entry, Provenance
from domain.permissions import Actor
from tests.desk import NINE, Desk
from tests.writing_house import StoppedClock


class DatedDesk(Desk):
    """``why`` puts a question to a journal of all that has happened, as the staff unless said otherwise."""

    def __init__(self) -> None:
        self.times: list[datetime] = []
        super().__init__()

    def do(self, use_case: Any, command: object, actor: Actor | None = None) -> Any:
        answer = super().do(use_case, command, actor)
        self.times += [self.now] * (len(self.facts) - len(self.times))
        return answer

    async def journal(self) -> MemoryJournal:
        journal, versions = MemoryJournal(), dict.fromkeys((stream_id for stream_id, _ in self.facts), 0)
        for number, ((stream_id, fact), at) in enumerate(zip(self.facts, self.times, strict=True)):
            provenance = Provenance(
                organization_id=self.organization_id, actor_id=UUID(int=7), at=at, command_id=UUID(int=number)
            )
            version = versions[stream_id]
            entry = Entry(
                command_id=provenance.command_id,
                fingerprint=b"",
                provenance=provenance,
                reads={stream_id: version},
                drafts=(Draft(stream_id, version, (fact,)),),
            )
            await journal.append([entry])
            versions[stream_id] += 1
        return journal

    def why(self, service: UUID, start: datetime = NINE, actor: Actor | None = None, **asked: Any) -> Reasons:
        async def answer() -> Reasons:
            question = Question(service_id=service, start=start, **asked)
            return await explained(await self.journal(), StoppedClock(self.now), question, actor or self.staff)

        return asyncio.run(answer())
