"""The histories that read models are tested on."""

from domain.fact import FACTS
from tests.desk import HOUR
from tests.projections.history import Clinic, every_kind, journal_of

NOT_OF_A_DESK = (
    "access.",
    "account.",
    "api_key.",
    "contact.",
    "external_",
    "identity_",
    "one_time_code.",
    "visitor.",
    "webhook",
)
"""Kinds of facts about who is at the door, and to whom is told: no read model of bookings is made of them."""
BESIDE_A_DESK = {
    "organization.owner_joined.v1",
    "organization.owner_left.v1",
    "organization.sign_in_demands_set.v1",
    "customer.details_changed.v1",
    "location.changed.v1",
    "resource.details_changed.v1",
}


def test_one_history_holds_a_fact_of_every_kind() -> None:
    _, journal = journal_of(every_kind)
    beside = FACTS.keys() - {recorded.fact.TOPIC for recorded in journal}
    assert {topic for topic in beside if not topic.startswith(NOT_OF_A_DESK)} == BESIDE_A_DESK


def test_nothing_of_it_is_refused() -> None:
    clinic = Clinic(0)
    for deed in every_kind:
        clinic.desk.now += deed.wait_hours * HOUR
        before = len(clinic.desk.facts)
        clinic.do(deed)
        assert len(clinic.desk.facts) > before or deed.name == "tick", deed
