"""Servers and processes, all of Daybook under one supervisor: what ``dev`` and ``real`` both run."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, replace

from infra import development
from infra.embedded import EmbeddedServers
from infra.program import Program, free_port, listens
from infra.settings import Settings, load_settings
from infra.supervisor import Supervisor

SERVERS, PROCESSES = 0, 1
"""Tiers: the servers stop when no process uses them any more."""
PROCESSES_OF_OURS = ("serve", "relay", "project", "notify", "timekeeper", "webhooks", "checkpoint")
READY_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class WholeStack:
    url: str
    outbox_url: str
    settings: Settings


def start_everything(
    supervisor: Supervisor,
    servers: EmbeddedServers,
    *,
    port: int,
    environment: str = "development",
    besides: Mapping[str, str] | None = None,
) -> WholeStack | None:
    """Start all of it, in order, until the API is ready; None if it was asked to stop meanwhile.

    ``besides``: more environment variables for every process, ours included. Raises ``ServerFailed``, ``NotReady``
    and ``SettingsError``.
    """
    servers.prepare()
    for program, ready in servers.programs:
        supervisor.start(program, ready, tier=SERVERS)
    if supervisor.stopping:
        return None
    servers.ensure_database(development.DATABASE)
    outbox_port = free_port()
    os.environ.update(development.environment(servers, port=port, environment=environment))
    os.environ.update(development.stand_in_providers(servers.data_dir, outbox_port))
    os.environ.update(besides or {})
    settings = load_settings()

    from infra.processes.migrate import migrate

    supervisor.say("migrate", migrate(settings.database_url))
    options = development.stand_in_options(servers.data_dir, port=outbox_port, api_url=f"http://127.0.0.1:{port}")
    fake = replace(_ours("fake-provider", *options), name="outbox")
    supervisor.start(fake, lambda: listens(outbox_port), tier=PROCESSES)
    for verb in PROCESSES_OF_OURS:
        supervisor.start(_ours(verb), tier=PROCESSES)
    url = f"http://127.0.0.1:{port}"
    # Every part of the API says that it is ready: servers, and read models that keep up.
    supervisor.run_until(lambda: answers(f"{url}/readyz"), within_s=READY_WITHIN_S, what="the API")
    if supervisor.stopping:
        return None
    return WholeStack(url, f"http://127.0.0.1:{outbox_port}", settings)


def answers(url: str) -> bool:
    """Whether a GET is answered by 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  our own URL
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _ours(verb: str, *arguments: str) -> Program:
    return Program(verb, (sys.executable, "-m", "infra.cli", verb, *arguments))
