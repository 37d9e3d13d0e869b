"""One API for each test module, and a house in it."""

from collections.abc import Iterator

import pytest

from infra.embedded import EmbeddedStack
from tests.api.house import House, opened_house
from tests.api.post_office import PostOffice, open_post_office
from tests.api.recurring_house import room_and_service
from tests.api.running_api import RunningApi, running_api
from tests.api.stranger import Stranger, open_to_the_public


@pytest.fixture(scope="module")
def api(servers: EmbeddedStack, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    with running_api(servers, postgres_url, tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="module")
def house(api: RunningApi) -> House:
    """Shared by the module: tests book starts of their own."""
    return opened_house(api)


@pytest.fixture
def room_service(house: House) -> tuple[str, str]:
    """For a test of series: a room of its own, and a service there."""
    return room_and_service(house)


@pytest.fixture
def ada(house: House) -> Iterator[Stranger]:
    """Someone without an account, at a house whose service is open to the public."""
    open_to_the_public(house)
    with house.api.client() as client:
        yield Stranger(house, client)


@pytest.fixture
def post_office(house: House) -> Iterator[PostOffice]:
    with open_post_office(house) as post_office:
        yield post_office
