"""Baseline: an authenticated request that does nothing. What answering costs at all."""

from datetime import datetime
from uuid import UUID

from fastapi import FastAPI

from api.appointments import Booking
from tests.bench.baselines.serving import SignedIn, serve

app = FastAPI()


@app.post("/v1/appointments", status_code=201)
async def book(body: Booking, _: SignedIn) -> dict[str, UUID]:
    return {"id": body.service_id}


@app.get("/v1/services/{service_id}/slots")
async def slots(service_id: UUID, start: datetime, end: datetime, _: SignedIn) -> dict[str, list[datetime]]:
    return {"slots": [start, end]} if service_id else {}


if __name__ == "__main__":
    serve(app)
