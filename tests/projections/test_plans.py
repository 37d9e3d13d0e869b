"""What a read model's statements look at: as little when its tables are large as when they are new."""

import psycopg
import pytest

from infra.read_models import read_models
from projections.arriving import runs
from projections.checkpoint import Sink
from tests.projections.history import PARTITIONS, every_kind, journal_of
from tests.projections.redelivery import deliveries_of, drop, follower


def read_as_a_whole(url: str, sink: Sink) -> dict[str, int]:
    """How often, by table; the checkpoint, which never grows, is left out."""
    with psycopg.connect(url) as connection:
        return dict(
            connection.execute(
                "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = %s AND relname <> 'checkpoint'",
                (sink.NAME,),
            ).fetchall()
        )


@pytest.mark.parametrize("sink", read_models([], PARTITIONS), ids=lambda sink: sink.NAME)
def test_no_table_is_read_as_a_whole_to_apply_a_fact(postgres_url: str, sink: Sink) -> None:
    drop(postgres_url, sink)
    follower(postgres_url, sink).close()  # makes the tables, which looks through them for what to put into indexes
    before = read_as_a_whole(postgres_url, sink)

    outlet = follower(postgres_url, sink)
    for delivery in deliveries_of(journal_of(every_kind)[1]):
        outlet.deliver(runs([delivery]))
    outlet.close()

    assert outlet.applied_total
    assert read_as_a_whole(postgres_url, sink) == before
