"""Someone joins the waitlist, someone comes every day: as use cases, as small as read models need them."""

from datetime import datetime
from uuid import UUID

from application.decision import Decision, View
from application.placing import Wish, begin, find_place
from domain.appointment import Appointment, InSeries
from domain.permissions import Actor
from domain.series import Occurrence, Series, SeriesBegun
from domain.waitlist import Waitlist, WaitlistJoined, waitlist_id


def join_waitlist(view: View, entry: WaitlistJoined, actor: Actor, now: datetime) -> Decision:
    its_id = waitlist_id(entry.organization_id)
    view.get(Waitlist, its_id)
    view.record(its_id, entry)
    return view.decision({"id": entry.entry_id})


def begin_series(view: View, wanted: tuple[UUID, list[Wish]], actor: Actor, now: datetime) -> Decision:
    its_id, wishes = wanted
    view.ensure_new(Series, its_id)
    occurrences = []
    for wish in wishes:
        view.ensure_new(Appointment, wish.appointment_id)
        local = wish.start.replace(tzinfo=None)
        begin(view, wish, find_place(view, wish, actor, now), actor, now, occurrence=InSeries(its_id, local))
        occurrences.append(Occurrence(local, wish.appointment_id, local))
    begun = SeriesBegun(
        series_id=its_id,
        organization_id=actor.organization_id,
        service_id=wishes[0].service.id,
        customer_id=wishes[0].customer_id,
        start_local=occurrences[0].start_local,
        time_zone="UTC",
        rrule="FREQ=DAILY;COUNT=3",
        exdates=(),
        occurrences=tuple(occurrences),
        skipped=(),
    )
    view.record(its_id, begun)
    return view.decision({"id": its_id})
