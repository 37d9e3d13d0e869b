"""The API put together: routers, problem documents, the edge, and documents that need no network."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi_offline import FastAPIOffline
from starlette.middleware.exceptions import ExceptionMiddleware

from api import (
    account_page,
    accounts,
    api_keys,
    appointment_reads,
    appointments,
    attention,
    audit,
    booking_page,
    callbacks,
    customers,
    explanations,
    health,
    holidays,
    identity_provider,
    locations,
    managed_visits,
    metrics,
    notifications,
    offered_services,
    oidc,
    organizations,
    pools,
    problem_pages,
    recovering,
    resource_times,
    resources,
    retirement,
    securing,
    series,
    series_reads,
    sessions,
    signing_in,
    signing_keys,
    slots,
    stream,
    visiting,
    visitor_bookings,
    waitlist,
    webhooks,
)
from api.admission import Admission
from api.contract import describe
from api.cross_origin import Origins
from api.edge import Edge
from api.health import Health
from api.metrics import Metrics
from api.ports import Ports
from api.refusing import answer_with_problems
from api.stream import Sockets

VERSION = "1.0.0"
DESCRIPTION = """
Appointments for people, rooms and equipment. Every change is a fact in an append-only journal.

Commands carry an `Idempotency-Key` and answer with a `Journal-Position`; a query that carries it sees the change.
Errors are problem documents (RFC 9457); [/problems](/problems) lists their types.
"""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

# The routers of the hot paths come first: routes are tried in order.
ROUTERS = (
    slots.router,
    appointments.router,
    appointment_reads.router,
    explanations.router,
    organizations.router,
    signing_in.router,
    sessions.router,
    api_keys.router,
    signing_keys.router,
    recovering.router,
    securing.router,
    accounts.router,
    customers.router,
    locations.router,
    holidays.router,
    series.router,
    series_reads.router,
    resources.router,
    resource_times.router,
    retirement.router,
    pools.router,
    offered_services.router,
    waitlist.router,
    attention.router,
    notifications.router,
    webhooks.router,
    oidc.router,
    identity_provider.router,
    audit.router,
    callbacks.router,
    account_page.router,
    managed_visits.router,
    visiting.router,
    visitor_bookings.router,
    problem_pages.router,
    booking_page.router,
    health.router,
    metrics.router,
)


def create_app(
    ports: Ports,
    *,
    health: Health,
    metrics: Metrics,
    sockets: Sockets | None = None,
    lifespan: Lifespan | None = None,
    origins: Origins | None = None,
) -> FastAPI:
    """The ASGI application. The writer and the sockets are run by whoever composes it, in ``lifespan``, say."""
    app = FastAPIOffline(
        title="Daybook",
        version=VERSION,
        description=DESCRIPTION,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        # Not included: FastAPI looks for the route in an included router twice. Ours say their whole path themselves.
        routes=[route for router in ROUTERS for route in router.routes],
        # Asking OpenTelemetry at every request whether it has been set up costs more than our own trace and metrics.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.ports = ports
    app.state.health = health
    app.state.metrics = metrics
    app.state.admission = admission = Admission()
    metrics.watch(admission.reading)
    metrics.watch(health.reading)
    if sockets is not None:
        app.state.sockets = sockets
        app.router.routes.extend(stream.router.routes)
    answer_with_problems(app, ports.outages)
    # FastAPI would put three layers more around the edge: for a last error, for telemetry, for the size of bodies. The
    # edge sees to all of these, and each layer wraps every message of every request.
    called = ExceptionMiddleware(AsyncExitStackMiddleware(app.router), handlers=app.exception_handlers)
    app.middleware_stack = Edge(called, metrics=metrics, limits=ports.limits, origins=origins)
    describe(app)
    return app
