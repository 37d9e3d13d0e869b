"""Every alarm asks for a metric that there is, and names a page that says what to do."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml  # type: ignore[import-untyped]
from prometheus_client import REGISTRY

import infra.processes.checkpoint
import infra.processes.notify
import infra.processes.project
import infra.processes.relay
import infra.processes.timekeeper
import infra.processes.webhooks  # noqa: F401  each registers what it shows
from api.admission import Admission
from api.health import Health
from api.metrics import Metrics
from application.rate_limits import RateTally

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "infra" / "runbooks"
WITHOUT_ALARM = {"README.md", "a-torture-run-failed.md", "rotate-signing-keys.md"}
RULES = [
    rule for group in yaml.safe_load((ROOT / "infra" / "alarms.yaml").read_text())["groups"] for rule in group["rules"]
]


def _shown() -> Iterator[str]:
    """What the processes' registries show, with the endings that Prometheus adds."""
    metrics = Metrics()
    metrics.watch(Admission().reading)
    metrics.watch(Health(()).reading)
    metrics.watch_tally("rate_limits", RateTally())
    for registry in (REGISTRY, metrics.registry):
        for family in registry.collect():
            endings = {"counter": ["_total"], "histogram": ["_count", "_sum", "_bucket"]}.get(family.type, [""])
            yield from (family.name + ending for ending in endings)


def test_every_metric_that_an_alarm_asks_for_is_shown_by_a_process() -> None:
    asked = {name for rule in RULES for name in re.findall(r"daybook_\w+", rule["expr"])}

    assert asked
    assert asked - set(_shown()) == set()


def test_every_alarm_names_a_page_and_every_page_an_alarm() -> None:
    named = {Path(rule["annotations"]["runbook_url"]).name for rule in RULES}

    assert named == {page.name for page in RUNBOOKS.glob("*.md")} - WITHOUT_ALARM
    for rule in RULES:
        page = (ROOT / rule["annotations"]["runbook_url"]).read_text()
        assert rule["alert"] in page
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]


def test_the_index_lists_every_page() -> None:
    index = (RUNBOOKS / "README.md").read_text()

    assert [page.name for page in RUNBOOKS.glob("*.md") if page.name not in index and page.name != "README.md"] == []
