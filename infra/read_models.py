"""Every read model by name, live (with hints and masks) or only for its rows (a rebuild, a replay)."""

from collections.abc import Sequence

from application.hints import Hints
from application.masks import MaskSink
from infra.settings import SettingsError
from projections.appointments import Appointments
from projections.attention import Attention
from projections.audit_trail import AuditTrail
from projections.availability import Availability
from projections.catalogue import Catalogue
from projections.checkpoint import Sink
from projections.customer_calendars import CustomerCalendars
from projections.resource_calendars import ResourceCalendars
from projections.series import SeriesList
from projections.waitlist_queue import WaitlistQueue

NAMES: tuple[str, ...] = (
    Catalogue.NAME,
    Appointments.NAME,
    ResourceCalendars.NAME,
    CustomerCalendars.NAME,
    Availability.NAME,
    Attention.NAME,
    SeriesList.NAME,
    WaitlistQueue.NAME,
    AuditTrail.NAME,
)


def read_models(
    names: Sequence[str], partitions: int, hints: Hints | None = None, masks: MaskSink | None = None
) -> list[Sink]:
    """Those of ``names``, all if there is none. Raises ``SettingsError`` for a name that is none."""
    for name in names:
        if name not in NAMES:
            raise SettingsError(f"NAME: there is no read model {name}; there are {', '.join(NAMES)}")
    sinks: list[Sink] = [
        Catalogue(),
        Appointments(),
        ResourceCalendars(partitions, hints),
        CustomerCalendars(partitions, hints),
        Availability(partitions, hints, masks),
        Attention(),
        SeriesList(),
        WaitlistQueue(partitions, hints),
        AuditTrail(),
    ]
    return [sink for sink in sinks if not names or sink.NAME in names]
