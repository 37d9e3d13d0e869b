"""Baseline: the request that does nothing, in a program that checks the token's signature each time, as most do."""

from uuid import UUID

from fastapi import FastAPI

from api.appointments import Booking
from tests.bench.baselines.serving import SignedInEachTime, serve

app = FastAPI()


@app.post("/v1/appointments", status_code=201)
async def book(body: Booking, _: SignedInEachTime) -> dict[str, UUID]:
    return {"id": body.service_id}


if __name__ == "__main__":
    serve(app)
