"""Every operation of the contract, as one calls it on the objects of a house, and the permission that it asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import httpx

from tests.api.house import PASSWORD, House, api_key_terms, key, sign_in


@dataclass(frozen=True)
class Operation:
    """``own``: the object is the customer's own."""

    id: str
    permission: str
    call: Callable[[House, httpx.Client], httpx.Response]
    own: bool = False


def _get(path: str, **query: str) -> Callable[[House, httpx.Client], httpx.Response]:
    return lambda house, client: client.get(_filled(path, house), params=query)


def _send(
    method: str, path: str, body: Callable[[House], object] | None = None, *, if_match: bool = False
) -> Callable[[House, httpx.Client], httpx.Response]:
    def call(house: House, client: httpx.Client) -> httpx.Response:
        # No such version: whoever may change the object is told so, and the object stays as it is.
        headers = {**key(), **({"If-Match": '"v999"'} if if_match else {})}
        return client.request(method, _filled(path, house), json=body(house) if body else None, headers=headers)

    return call


def _filled(path: str, house: House) -> str:
    ids = {
        "organization": house.id,
        "customer": house.customer_id,
        "resource": house.resource_id,
        "service": house.service_id,
        "location": house.location_id,
        "appointment": house.appointment_id,
        "closure": house.closure_id,
        "account": house.account_ids["staff"],
        "pool": house.pool_id,
        "waitlist_entry": house.waitlist_entry_id,
        "series": house.series_id,
        "api_key": house.api_key_id,
        "webhook": house.webhook_id,
    }
    return "/v1" + path.format(**ids)


def _booking(house: House) -> dict[str, object]:
    return {"service_id": house.service_id, "customer_id": house.customer_id, "start": "2026-11-20T09:00:00Z"}


def _overriding(house: House) -> dict[str, object]:
    return {**_booking(house), "override": {"rules": ["slot_grid"], "reason": "X"}}


def _closing(_: House) -> dict[str, object]:
    return {"start": "2027-03-06T00:00:00Z", "end": "2027-03-07T00:00:00Z"}


def _pool(house: House) -> dict[str, object]:
    return {"name": "X", "resource_ids": [house.resource_id], "strategy": "priority"}


def _account(_: House) -> dict[str, object]:
    return {"email": f"{uuid4().hex}@x.test", "password": PASSWORD, "display_name": "X", "role": "staff"}


def _joining(house: House) -> dict[str, object]:
    window = {"start": "2027-02-11T09:00:00Z", "end": "2027-02-11T12:00:00Z"}
    return {"service_id": house.service_id, "customer_id": house.customer_id, "windows": [window]}


def _recurring(house: House) -> dict[str, object]:
    past = {"start_local": "2026-11-16T09:00", "time_zone": "UTC", "rrule": "FREQ=WEEKLY;COUNT=1"}
    return {"service_id": house.service_id, "customer_id": house.customer_id, **past}


def _asking_as(house: House, client: httpx.Client) -> httpx.Client:
    """The same person, signed in once more: so that a session can be ended which nobody needs."""
    role = next((role for role, known in house.clients.items() if known is client), None)
    email = house.emails.get(role or "owner")
    return house.api.client(sign_in(house.api, email)["access_token"] if email else None)


def _another_session(house: House, client: httpx.Client) -> str:
    with _asking_as(house, client) as again:
        sessions = again.get("/v1/auth/sessions").json().get("items", ())
    return next((one["id"] for one in sessions if one["current"]), str(uuid4()))


def _signing_out(house: House, client: httpx.Client) -> httpx.Response:
    with _asking_as(house, client) as again:
        return again.post("/v1/auth/sign-out", headers=key())


def _ending_all(house: House, client: httpx.Client) -> httpx.Response:
    """Of the staff's account, who then sign in again."""
    answer = client.delete(_filled("/accounts/{account}/sessions", house), headers=key())
    token = sign_in(house.api, house.emails["staff"])["access_token"]
    house["staff"].headers["Authorization"] = f"Bearer {token}"
    return answer


SESSION_OPERATIONS = (
    Operation("listSessions", "session.read", _get("/auth/sessions"), own=True),
    Operation("signOut", "session.end", _signing_out, own=True),
    Operation(
        "endSession",
        "session.end",
        lambda house, client: client.delete(f"/v1/auth/sessions/{_another_session(house, client)}", headers=key()),
        own=True,
    ),
    Operation("endSessionsOfAccount", "session.end", _ending_all),
    Operation("issueApiKey", "api_key.issue", _send("POST", "/api-keys", lambda _: api_key_terms())),
    Operation("listApiKeys", "api_key.read", _get("/api-keys")),
    Operation("getApiKey", "api_key.read", _get("/api-keys/{api_key}")),
    Operation("revokeApiKey", "api_key.revoke", _send("DELETE", "/api-keys/{api_key}")),
)

WINDOW = {"start": "2026-11-24", "end": "2026-11-25"}
OPERATIONS = (
    Operation("listOrganizations", "organization.read", _get("/organizations")),
    Operation("getOrganization", "organization.read", _get("/organizations/{organization}")),
    Operation(
        "changeOrganization",
        "organization.change",
        _send("PATCH", "/organizations/{organization}", lambda _: {"name": "X"}, if_match=True),
    ),
    Operation("openAccount", "account.create", _send("POST", "/accounts", _account)),
    Operation("listAccounts", "account.read", _get("/accounts"), own=True),
    Operation("getAccount", "account.read", _get("/accounts/{account}")),
    Operation(
        "assignAccount",
        "account.assign",
        _send("PUT", "/accounts/{account}/assignment", lambda _: {"resource_ids": []}, if_match=True),
    ),
    *SESSION_OPERATIONS,
    Operation("disableAccount", "account.disable", _send("POST", "/accounts/{account}/disable", if_match=True)),
    Operation("enableAccount", "account.disable", _send("POST", "/accounts/{account}/enable", if_match=True)),
    Operation(
        "grantRole",
        "account.grant_role",
        _send("PUT", "/accounts/{account}/role", lambda _: {"role": "manager"}, if_match=True),
    ),
    Operation("requestVerification", "account.verify_email", _send("POST", "/auth/verify-email/request"), own=True),
    Operation(
        "changePassword",
        "account.change_password",
        _send("POST", "/auth/password", lambda _: {"current_password": "not it", "new_password": uuid4().hex}),
        own=True,
    ),
    Operation(
        "beginSecondFactor",
        "account.change_second_factor",
        _send("POST", "/auth/second-factor", lambda _: {"password": "not it"}),
        own=True,
    ),
    *(
        Operation(its_id, "account.change_second_factor", _send("POST", path, lambda _: {"code": "0"}), own=True)
        for its_id, path in (
            ("confirmSecondFactor", "/auth/second-factor/confirm"),
            ("removeSecondFactor", "/auth/second-factor/remove"),
            ("renewRecoveryCodes", "/auth/second-factor/recovery-codes"),
        )
    ),
    Operation("registerCustomer", "customer.create", _send("POST", "/customers", lambda _: {"display_name": "X"})),
    Operation("listCustomers", "customer.read", _get("/customers"), own=True),
    Operation("getCustomer", "customer.read", _get("/customers/{customer}"), own=True),
    Operation(
        "changeCustomer",
        "customer.change",
        _send("PATCH", "/customers/{customer}", lambda _: {"display_name": "X"}, if_match=True),
        own=True,
    ),
    Operation(
        "openLocation", "location.create", _send("POST", "/locations", lambda _: {"name": "X", "time_zone": "UTC"})
    ),
    Operation("listLocations", "location.read", _get("/locations")),
    Operation("getLocation", "location.read", _get("/locations/{location}")),
    Operation(
        "changeLocation",
        "location.change",
        _send("PATCH", "/locations/{location}", lambda _: {"name": "X"}, if_match=True),
    ),
    Operation(
        "addResource",
        "resource.create",
        _send("POST", "/resources", lambda _: {"name": "X", "kind": "spare", "time_zone": "UTC"}),
    ),
    Operation("listResources", "resource.read", _get("/resources")),
    Operation("getResource", "resource.read", _get("/resources/{resource}")),
    Operation(
        "changeResource",
        "resource.change",
        _send("PATCH", "/resources/{resource}", lambda _: {"name": "X"}, if_match=True),
    ),
    Operation(
        "setWorkingHours",
        "resource.change",
        _send("PUT", "/resources/{resource}/working-hours", lambda _: {"working_hours": []}, if_match=True),
    ),
    Operation("getWorkingHours", "resource.read", _get("/resources/{resource}/working-hours")),
    Operation(
        "setHolidays",
        "location.change",
        _send("PUT", "/locations/{location}/holidays", lambda _: {"extra": []}, if_match=True),
    ),
    Operation("getHolidays", "location.read", _get("/locations/{location}/holidays")),
    Operation("createPool", "pool.create", _send("POST", "/pools", _pool)),
    Operation("listPools", "pool.read", _get("/pools")),
    Operation("getPool", "pool.read", _get("/pools/{pool}")),
    Operation("changePool", "pool.change", _send("PATCH", "/pools/{pool}", lambda _: {"name": "X"}, if_match=True)),
    Operation("closeResource", "closure.create", _send("POST", "/resources/{resource}/closures", _closing)),
    Operation("listClosures", "closure.read", _get("/resources/{resource}/closures")),
    Operation("getClosure", "closure.read", _get("/resources/{resource}/closures/{closure}")),
    Operation("getCalendar", "calendar.read", _get("/resources/{resource}/calendar", **WINDOW)),
    Operation(
        "offerService",
        "service.create",
        _send("POST", "/services", lambda _: {"name": "X", "duration_min": 0, "requirements": [{"kind": "spare"}]}),
    ),
    Operation("listServices", "service.read", _get("/services")),
    Operation("getService", "service.read", _get("/services/{service}")),
    Operation(
        "changeService",
        "service.change",
        _send("PATCH", "/services/{service}", lambda _: {"name": "X"}, if_match=True),
    ),
    Operation("findSlots", "slots.read", _get("/services/{service}/slots", **WINDOW)),
    Operation("explainSlot", "slots.read", _get("/services/{service}/slots/explain", start="2026-11-24T09:00:00Z")),
    Operation("bookAppointment", "appointment.book", _send("POST", "/appointments", _booking), own=True),
    Operation("bookAppointment", "appointment.override", _send("POST", "/appointments", _overriding), own=True),
    Operation("listAppointments", "appointment.read", _get("/appointments"), own=True),
    Operation("getAppointment", "appointment.read", _get("/appointments/{appointment}"), own=True),
    Operation("getAppointmentHistory", "appointment.history", _get("/appointments/{appointment}/history"), own=True),
    Operation(
        "confirmAppointment", "appointment.confirm", _send("POST", "/appointments/{appointment}/confirm"), own=True
    ),
    Operation(
        "rescheduleAppointment",
        "appointment.reschedule",
        _send(
            "POST",
            "/appointments/{appointment}/reschedule",
            lambda _: {"start": "2026-11-24T12:00:00Z"},
            if_match=True,
        ),
        own=True,
    ),
    Operation(
        "cancelAppointment",
        "appointment.cancel",
        _send("POST", "/appointments/{appointment}/cancel", if_match=True),
        own=True,
    ),
    Operation("approveAppointment", "appointment.approve", _send("POST", "/appointments/{appointment}/approve")),
    Operation("checkInAppointment", "appointment.check_in", _send("POST", "/appointments/{appointment}/check-in")),
    Operation("fulfilAppointment", "appointment.fulfil", _send("POST", "/appointments/{appointment}/fulfil")),
    Operation("markAppointmentNoShow", "appointment.no_show", _send("POST", "/appointments/{appointment}/no-show")),
    Operation("joinWaitlist", "waitlist.join", _send("POST", "/waitlist", _joining), own=True),
    Operation("listWaitlist", "waitlist.read", _get("/waitlist"), own=True),
    Operation("getWaitlistEntry", "waitlist.read", _get("/waitlist/{waitlist_entry}"), own=True),
    Operation("acceptOffer", "waitlist.answer", _send("POST", "/waitlist/{waitlist_entry}/accept"), own=True),
    Operation("declineOffer", "waitlist.answer", _send("POST", "/waitlist/{waitlist_entry}/decline"), own=True),
    Operation("beginSeries", "series.begin", _send("POST", "/series", _recurring), own=True),
    Operation("listSeries", "series.read", _get("/series"), own=True),
    Operation("getSeries", "series.read", _get("/series/{series}"), own=True),
    Operation(
        "rescheduleSeries",
        "series.reschedule",
        _send(
            "POST",
            "/series/{series}/reschedule",
            lambda _: {"scope": "all", "start_local": "2027-02-16T11:00"},
            if_match=True,
        ),
        own=True,
    ),
    Operation(
        "cancelSeries",
        "series.cancel",
        _send("POST", "/series/{series}/cancel", lambda _: {"scope": "all"}, if_match=True),
        own=True,
    ),
    Operation("listAttention", "attention.read", _get("/attention")),
    Operation(
        "listNotifications",
        "notification.read",
        lambda house, client: client.get("/v1/notifications", params={"appointment_id": house.appointment_id}),
    ),
    Operation(
        "addWebhook", "webhook.add", _send("POST", "/webhooks", lambda _: {"url": "https://crm.example.com/daybook"})
    ),
    Operation("listWebhooks", "webhook.read", _get("/webhooks")),
    Operation("getWebhook", "webhook.read", _get("/webhooks/{webhook}")),
    Operation(
        "changeWebhook",
        "webhook.change",
        _send("PATCH", "/webhooks/{webhook}", lambda _: {"topics": None}, if_match=True),
    ),
    Operation("testWebhook", "webhook.test", _send("POST", "/webhooks/{webhook}/test")),
    Operation("rotateWebhookSecret", "webhook.rotate_secret", _send("POST", "/webhooks/{webhook}/rotate-secret")),
    Operation("listWebhookDeliveries", "webhook.read", _get("/webhooks/{webhook}/deliveries")),
    Operation("listFacts", "audit.read", _get("/audit/facts")),
    # Last: they change what the others look at.
    Operation("removeWebhook", "webhook.remove", _send("DELETE", "/webhooks/{webhook}")),
    Operation("leaveWaitlist", "waitlist.leave", _send("DELETE", "/waitlist/{waitlist_entry}"), own=True),
    Operation(
        "retireResource",
        "resource.change",
        _send("POST", "/resources/{resource}/retire", lambda _: {"retired_at": "2030-01-01T00:00:00Z"}),
    ),
    Operation("reinstateResource", "resource.change", _send("POST", "/resources/{resource}/reinstate")),
    Operation("reopenResource", "closure.create", _send("DELETE", "/resources/{resource}/closures/{closure}")),
)
