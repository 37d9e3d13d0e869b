"""Baseline: the event store's library as its documentation shows it, behind a ``def`` endpoint."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from fastapi import FastAPI

from api.appointments import Booking
from tests.bench.baselines.serving import SETTINGS, SignedIn, serve

VISIT = timedelta(minutes=15)


class Appointment(Aggregate):
    @event("Booked")
    def __init__(self, *, service_id: UUID, customer_id: UUID, start: datetime, end: datetime) -> None:
        self.service_id, self.customer_id, self.start, self.end = service_id, customer_id, start, end


class Appointments(Application[UUID]):
    def book(self, **details: Any) -> UUID:
        appointment = Appointment(**details)
        self.save(appointment)
        return appointment.id


_parts = urlsplit(SETTINGS.database_url)
appointments = Appointments(
    env={
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": _parts.path.lstrip("/"),
        "POSTGRES_HOST": parse_qs(_parts.query)["host"][0],
        "POSTGRES_PORT": "",
        "POSTGRES_USER": _parts.username or "",
        "POSTGRES_PASSWORD": "unused: the socket is trusted",
    }
)
app = FastAPI()


@app.post("/v1/appointments", status_code=201)
def book(body: Booking, _: SignedIn) -> dict[str, UUID]:
    end = body.start + VISIT
    booked = appointments.book(service_id=body.service_id, customer_id=body.customer_id, start=body.start, end=end)
    return {"id": booked}


if __name__ == "__main__":
    serve(app)
