"""Promise 16: whatever is sent, the answer is declared, fits its schema, and is no error of ours. See ``make fuzz``."""

import time

from tests.api.house import House, sign_in
from tests.fuzz.fuzzing import Fuzzing, report

SIGNED_IN_S, ANONYMOUS_S = 40.0, 15.0
"""Bounds for a machine that is busy: it then comes less far."""
SEED = 20_261_127


def fuzzed(house: House, token: str | None, *, within_s: float, examples: int) -> Fuzzing:
    fuzzing = Fuzzing(house, token, until=time.monotonic() + within_s, seed=SEED, examples=examples)
    fuzzing.run()
    return fuzzing


def test_nothing_that_an_owner_sends_is_answered_by_what_is_not_declared(house: House) -> None:
    token = sign_in(house.api, house.emails["owner"])["access_token"]

    fuzzing = fuzzed(house, token, within_s=SIGNED_IN_S, examples=3)

    assert fuzzing.findings == [], "\n".join(report([fuzzing]))
    assert fuzzing.sent > 50
    assert any(status < 300 for told in fuzzing.statuses.values() for status in told)


def test_who_is_not_signed_in_gets_nowhere_whatever_is_sent(house: House) -> None:
    fuzzing = fuzzed(house, None, within_s=ANONYMOUS_S, examples=1)

    assert fuzzing.findings == [], "\n".join(report([fuzzing]))
    assert fuzzing.sent > 20
    assert {401} <= {status for told in fuzzing.statuses.values() for status in told}


def test_an_answer_that_is_not_declared_is_found(house: House) -> None:
    """A fuzzer that cannot fail is none: without their 401 every protected operation is a finding."""
    document = house["owner"].get("/openapi.json").json()
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("401", None)

    fuzzing = Fuzzing(house, None, until=time.monotonic() + ANONYMOUS_S, seed=SEED, examples=1, document=document)
    fuzzing.run("listPools")

    assert {finding.operation for finding in fuzzing.findings} == {"listPools"}
    assert "401" in fuzzing.findings[0].told
