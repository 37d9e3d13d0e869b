"""Whose facts lie after a position: every journal tells it without handing them out."""

from dataclasses import replace
from uuid import uuid4

import pytest

from tests.adapters.journal_ends import Ends
from tests.adapters.journal_given import streams, writing

pytestmark = pytest.mark.anyio


async def test_the_last_fact_of_each_organization_is_told_without_reading_them(ends: Ends) -> None:
    entries = [writing((stream_id, 0), facts=2) for stream_id in streams(3)]
    one, other, third = (replace(e, provenance=replace(e.provenance, organization_id=uuid4())) for e in entries)
    await ends.journal.append([one, other])  # given
    head = ends.reader.head()
    await ends.journal.append([third])
    ids = [entry.provenance.organization_id for entry in (one, other, third)]
    assert ends.reader.organizations(after=head) == {ids[2]: head + 2}
    assert ends.reader.organizations(after=head - 1) == {ids[1]: head, ids[2]: head + 2}
    assert ends.reader.organizations(after=head + 2) == {}
