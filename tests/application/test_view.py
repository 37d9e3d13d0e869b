from uuid import UUID

import pytest

from application.decision import NotLoaded, Stream, View
from domain.account import Role
from domain.organization import Organization, OrganizationRegistered, OrganizationRenamed
from domain.permissions import Actor
from domain.refusals import AlreadyExists, VersionMismatch

ID = UUID(int=1)
ACTOR = Actor(UUID(int=2), ID, UUID(int=3), Role.OWNER)


class Streams(dict[UUID, Stream]):
    """Streams in memory; one that is not there was not loaded."""


def registered() -> View:
    """A view of an organization called Clinic, at version 1."""
    stored = Organization(id=ID, organization_id=ID, name="Clinic", time_zone="UTC")
    return View(Streams({ID: Stream(1, stored)}))


def named(view: View) -> str:
    return view.require(Organization, ID, ACTOR).name


def rename(view: View, name: str) -> None:
    view.get(Organization, ID)
    view.record(ID, OrganizationRenamed(organization_id=ID, name=name))


def refused_rename(view: View, name: str) -> None:
    """A step that records and then refuses."""
    with view.attempt():
        rename(view, name)
        raise AlreadyExists("organization", ID)


def test_what_was_recorded_is_read_back_but_the_stream_itself_is_as_it_was() -> None:
    view = registered()
    rename(view, "Surgery")
    before = view.before(Organization, ID)
    assert before
    assert (named(view), view.version(ID), before.name) == ("Surgery", 2, "Clinic")


def test_a_step_that_is_refused_leaves_nothing_behind_and_the_steps_before_it_stand() -> None:
    view = registered()
    rename(view, "Surgery")
    with pytest.raises(AlreadyExists):
        refused_rename(view, "Hospital")
    assert (named(view), view.version(ID), len(view.facts)) == ("Surgery", 2, 1)


def test_what_a_refused_step_has_read_is_read_all_the_same() -> None:
    view = registered()
    with pytest.raises(AlreadyExists):
        refused_rename(view, "Hospital")
    assert set(view.read) == {ID}
    assert (named(view), view.version(ID)) == ("Clinic", 1)


def test_a_step_that_is_not_refused_stays() -> None:
    view = registered()
    with view.attempt():
        rename(view, "Hospital")
    assert (named(view), len(view.decision({}).facts)) == ("Hospital", 1)


def test_a_refusal_within_a_refused_step_takes_back_only_its_own() -> None:
    view = registered()
    with view.attempt():
        rename(view, "Surgery")
        with pytest.raises(AlreadyExists):
            refused_rename(view, "Hospital")
        assert named(view) == "Surgery"
    assert named(view) == "Surgery"


def test_nothing_is_recorded_on_a_stream_that_was_not_read() -> None:
    view = registered()
    with pytest.raises(KeyError):
        view.record(ID, OrganizationRenamed(organization_id=ID, name="Surgery"))


def test_a_stream_that_is_not_in_memory_is_asked_for_even_after_something_was_recorded() -> None:
    view = registered()
    rename(view, "Surgery")
    with pytest.raises(NotLoaded) as wanted:
        view.get(Organization, UUID(int=9))
    assert wanted.value.stream_ids == [UUID(int=9)]


def test_an_object_that_this_decision_begins_is_no_longer_new() -> None:
    new = UUID(int=5)
    view = View(Streams({new: Stream()}))
    view.ensure_new(Organization, new)
    view.record(new, OrganizationRegistered(organization_id=new, name="Other", time_zone="UTC"))
    with pytest.raises(AlreadyExists):
        view.ensure_new(Organization, new)


def test_the_version_that_a_client_must_have_seen_counts_what_was_recorded() -> None:
    view = registered()
    rename(view, "Surgery")
    with pytest.raises(VersionMismatch):
        view.ensure_version(ID, 1)
