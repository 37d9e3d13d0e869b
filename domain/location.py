"""A place with an IANA time zone."""

from dataclasses import dataclass, replace
from typing import assert_never
from uuid import UUID

from domain.fact import Fact, fact


@fact("location.opened.v1")
class LocationOpened(Fact):
    location_id: UUID
    organization_id: UUID
    name: str
    time_zone: str
    address: str | None


@fact("location.changed.v1")
class LocationChanged(Fact):
    location_id: UUID
    name: str
    address: str | None


LocationFact = LocationOpened | LocationChanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    id: UUID
    organization_id: UUID
    name: str
    time_zone: str
    address: str | None


def evolve(state: Location | None, happened: LocationFact) -> Location:
    match happened:
        case LocationOpened():
            return Location(
                id=happened.location_id,
                organization_id=happened.organization_id,
                name=happened.name,
                time_zone=happened.time_zone,
                address=happened.address,
            )
        case LocationChanged():
            assert state
            return replace(state, name=happened.name, address=happened.address)
        case _:
            assert_never(happened)
