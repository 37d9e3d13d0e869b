"""The histories that read models are tested on."""

from domain.fact import FACTS
from tests.desk import HOUR
from tests.projections.history import Clinic, every_kind, journal_of

OF_WEBHOOKS = {topic for topic in FACTS if topic.startswith("webhook")}
BESIDE_A_DESK = OF_WEBHOOKS | {
    "contact.used.v1",
    "customer.details_changed.v1",
    "location.changed.v1",
    "resource.details_changed.v1",
}


def test_one_history_holds_a_fact_of_every_kind() -> None:
    _, journal = journal_of(every_kind)
    beside = FACTS.keys() - {recorded.fact.TOPIC for recorded in journal}
    assert {topic for topic in beside if not topic.startswith("access.")} == BESIDE_A_DESK


def test_nothing_of_it_is_refused() -> None:
    clinic = Clinic(0)
    for deed in every_kind:
        clinic.desk.now += deed.wait_hours * HOUR
        before = len(clinic.desk.facts)
        clinic.do(deed)
        assert len(clinic.desk.facts) > before or deed.name == "tick", deed
