"""Baseline: booking as it is usually written. A row, kept from overlapping by the database, and a row of its audit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from fastapi import FastAPI
from psycopg.errors import ExclusionViolation
from psycopg.types.json import Jsonb
from psycopg.types.range import TimestamptzRange
from psycopg_pool import AsyncConnectionPool
from starlette.exceptions import HTTPException

from api.appointments import Booking
from tests.bench.baselines.serving import SETTINGS, SignedIn, serve

VISIT = timedelta(minutes=15)
CONNECTIONS_MAX = 16

TABLES = """
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE TABLE IF NOT EXISTS appointment (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    service_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    during tstzrange NOT NULL,
    EXCLUDE USING gist (service_id WITH =, during WITH &&)
);
CREATE TABLE IF NOT EXISTS audit (
    id bigserial PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    account_id uuid NOT NULL,
    what text NOT NULL,
    details jsonb NOT NULL
);
"""
APPOINTMENT = (
    "INSERT INTO appointment (id, organization_id, service_id, customer_id, during) VALUES (%s, %s, %s, %s, %s)"
)
AUDIT = "INSERT INTO audit (account_id, what, details) VALUES (%s, %s, %s)"

pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
    SETTINGS.database_url, min_size=CONNECTIONS_MAX, max_size=CONNECTIONS_MAX, open=False
)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with pool:
        async with pool.connection() as connection:
            await connection.execute(TABLES)
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/v1/appointments", status_code=201)
async def book(body: Booking, actor: SignedIn) -> dict[str, UUID | datetime]:
    appointment_id, end = uuid4(), body.start + VISIT
    during = TimestamptzRange(body.start, end)
    details = {"appointment_id": str(appointment_id), "start": body.start.isoformat()}
    try:
        async with pool.connection() as connection:
            row = (appointment_id, actor.organization_id, body.service_id, body.customer_id, during)
            await connection.execute(APPOINTMENT, row)
            await connection.execute(AUDIT, (actor.account_id, "booked", Jsonb(details)))
    except ExclusionViolation:
        raise HTTPException(409) from None
    return {"id": appointment_id, "start": body.start, "end": end}


if __name__ == "__main__":
    serve(app)
