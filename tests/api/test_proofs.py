"""A fact of the house is proved to be in the journal that was signed; to its owners and auditors, and nobody else's."""

from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from adapters.checkpoint_notes import Signer, Verifier
from adapters.proof_tree import KeptTree
from domain.merkle import GrowingTree, extends, includes
from infra.database_roles import url_for
from tests.api.house import House, made, opened_house, problem
from tests.api.running_api import RunningApi

SIGNER = Signer(bytes(range(32)), "clinic.example/journal")


@pytest.fixture(scope="module")
def neighbour(api: RunningApi) -> House:
    return opened_house(api)


@pytest.fixture
def kept(house: House, postgres_url: str) -> Iterator[KeptTree]:
    """The tree up to where the house was set up, signed."""
    house.get("/audit/facts")  # what was written is in the audit trail
    with psycopg.connect(url_for("checkpoint", postgres_url), autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM proofs.signed_checkpoint").fetchone()
        assert row == (0,)
        kept = KeptTree(GrowingTree(), 0)
        kept.extend(connection, SIGNER)
        yield kept
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("TRUNCATE proofs.subtree, proofs.signed_checkpoint")


def position_of_one(house: House) -> int:
    return int(made(house.get("/audit/facts", limit="1"), 200)["items"][0]["position"])


def raw(hashes: list[str]) -> list[bytes]:
    return [b64decode(one) for one in hashes]


@pytest.mark.parametrize("role", ["owner", "auditor"])
def test_a_fact_is_proved_by_what_anybody_can_check(house: House, kept: KeptTree, role: str) -> None:
    proved: dict[str, Any] = made(house.get("/audit/proof", role=role, position=str(position_of_one(house))), 200)

    signed = Verifier(SIGNER.public_key).open(proved["checkpoint"])
    assert signed.size == proved["size"]
    assert includes(signed.root, signed.size, proved["index"], b64decode(proved["leaf"]), raw(proved["inclusion"]))
    assert proved["consistency"] is None


def test_the_tree_is_proved_to_have_only_grown_since_a_checkpoint_that_was_kept(
    house: House, kept: KeptTree, postgres_url: str
) -> None:
    before, size = kept.tree.root(), kept.tree.size
    made(house.post("/locations", {"name": "Norte", "time_zone": "UTC"}))
    with psycopg.connect(url_for("checkpoint", postgres_url), autocommit=True) as connection:
        assert kept.extend(connection, SIGNER) > 0

    query = {"position": str(position_of_one(house)), "since": str(size)}
    proved: dict[str, Any] = made(house.get("/audit/proof", **query), 200)

    after = Verifier(SIGNER.public_key).open(proved["checkpoint"])
    assert extends(before, size, after.root, after.size, raw(proved["consistency"]))


def test_a_fact_of_another_house_and_one_that_is_not_covered_are_not_found(
    house: House, neighbour: House, kept: KeptTree
) -> None:
    theirs = position_of_one(neighbour)
    problem(house.get("/audit/proof", position=str(theirs)), 404, "not-found")
    location = house.post("/locations", {"name": "Sul", "time_zone": "UTC"})

    problem(house.get("/audit/proof", position=location.headers["Journal-Position"]), 404, "not-found")


@pytest.mark.parametrize("role", ["manager", "staff", "customer"])
def test_nobody_else_is_told(house: House, kept: KeptTree, role: str) -> None:
    problem(house.get("/audit/proof", role=role, position=str(position_of_one(house))), 403, "forbidden")
