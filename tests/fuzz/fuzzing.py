"""Requests made from the OpenAPI document alone, sent to a running API; what its answers have against that document.

Driven by the document only: an operation that is added is fuzzed without a line here. What the house knows is put
where the document asks for ids, or nearly all that is sent would be answered by 404.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.house import House

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
LEFT_OUT = frozenset({"readyz", "healthz"})
"""They say 503 while something is behind, without more ado."""
SILENT_HEADERS = {"Journal-Position": "1"}
"""One that lies in the future is waited for, two seconds each time: that has its own tests."""
TIMEOUT_S = 20


@dataclass(frozen=True)
class Finding:
    operation: str
    told: str


@dataclass
class Fuzzing:
    """``token``: who asks; None is nobody. ``until`` is when to stop, by ``time.monotonic``."""

    house: House
    token: str | None
    until: float
    seed: int = 0
    examples: int = 10
    document: dict[str, Any] | None = None
    """Instead of the API's own."""
    findings: list[Finding] = field(default_factory=list)
    sent: int = 0
    statuses: dict[str, set[int]] = field(default_factory=dict)
    _confirmed: set[str] = field(default_factory=set)

    def run(self, *only: str) -> None:
        """Every operation, or ``only`` some, as far as the time allows; of each, one finding for each mode is kept."""
        url, load = self.house.api.url, schemathesis.openapi
        schema = load.from_dict(self.document) if self.document else load.from_url(f"{url}/openapi.json")
        ids = ids_of(self.house)
        with requests.Session() as session:
            for found in schema.get_all_operations():
                assert isinstance(found, Ok), found
                operation = found.ok()
                name = operation.definition.raw["operationId"]
                if name in LEFT_OUT or (only and name not in only):
                    continue
                for mode in GenerationMode:
                    if time.monotonic() < self.until:
                        self._fuzz(operation.as_strategy(generation_mode=mode), name, session, ids)

    def _fuzz(
        self, cases: "st.SearchStrategy[Case[Any]]", name: str, session: requests.Session, ids: Mapping[str, str]
    ) -> None:
        @seed(self.seed)
        @settings(
            max_examples=self.examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases, knowing=st.sampled_from([True, True, True, False]), version=st.sampled_from(["*", '"v1"']))
        def ask(case: Case[Any], knowing: bool, version: str) -> None:
            if time.monotonic() < self.until:
                self._ask(informed(case, ids, version) if knowing else case, name, session)

        try:
            ask()
        except Unsatisfiable:
            return  # nothing can be sent in this mode: the operation takes nothing that could be wrong
        except (Exception, BaseExceptionGroup) as failed:  # noqa: BLE001  whatever is wrong is what is looked for
            self.findings.append(Finding(name, _told(failed)))

    def _ask(self, case: Case[Any], name: str, session: requests.Session) -> None:
        self.sent += 1
        case.headers.update({name: said for name, said in SILENT_HEADERS.items() if name in case.headers})
        checks = CHECKS if name in self._confirmed else [*CHECKS, ignored_auth]
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        response = case.call_and_validate(
            base_url=self.house.api.url, session=session, headers=headers, checks=checks, timeout=TIMEOUT_S
        )
        self.statuses.setdefault(name, set()).add(response.status_code)
        # The contract's only 5xx is one that says when to come back.
        assert response.status_code < 500 or "retry-after" in response.headers, response.text
        if response.status_code < 300:
            self._confirmed.add(name)


def ids_of(house: House) -> dict[str, str]:
    """What the house knows, by the names under which the document asks for it."""
    known = {name: value for name, value in vars(house).items() if name.endswith("_id") and isinstance(value, str)}
    known |= {"organization_id": house.id, "entry_id": house.waitlist_entry_id, "slug": "slot-taken"}
    return known | {"account_id": house.account_ids["staff"]}


def informed(case: Case[Any], ids: Mapping[str, str], version: str) -> Case[Any]:
    """The same with ids that exist, in its path, its query and its body, and an If-Match that may fit."""
    for place in (case.path_parameters, case.query):
        for name in place.keys() & ids.keys():
            place[name] = ids[name]
    if "If-Match" in case.headers:
        case.headers["If-Match"] = version
    case.body = _with_ids(case.body, ids)
    return case


def _with_ids(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: ids.get(name, _with_ids(inner, ids)) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_ids(inner, ids) for inner in value]
    return value


def _told(failed: BaseException) -> str:
    """Every failure of a group, each in its own words."""
    parts: Sequence[BaseException] = getattr(failed, "exceptions", ())
    return "\n".join(_told(part) for part in parts) if parts else f"{type(failed).__name__}: {failed}"


def report(fuzzings: Sequence[Fuzzing]) -> Iterator[str]:
    """What was asked and what was found, in lines."""
    for fuzzing in fuzzings:
        who = "signed in" if fuzzing.token else "anonymous"
        accepted = sum(any(status < 300 for status in told) for told in fuzzing.statuses.values())
        yield f"{who}: {fuzzing.sent} requests to {len(fuzzing.statuses)} operations, {accepted} of them did something"
        for finding in fuzzing.findings:
            yield f"{finding.operation}: {finding.told}"
