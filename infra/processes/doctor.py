"""``daybook doctor``: what makes this deployment unsafe, one line for each finding, and what to do about it."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from infra.doctor.finding import Finding, Severity, unsafe
from infra.settings import Settings, SettingsError, load_settings

_COLOURS = {Severity.UNSAFE: "bold red", Severity.ADVICE: "yellow"}


def findings(settings: Settings) -> Iterator[Finding]:
    # Here, not above: a Kafka client takes as long to import as all the rest.
    from infra.doctor.of_kafka import of_kafka
    from infra.doctor.of_postgres import of_postgres
    from infra.doctor.of_processes import of_processes
    from infra.doctor.of_redis import of_redis
    from infra.doctor.of_settings import of_settings

    for part in (of_settings, of_postgres, of_redis, of_kafka, of_processes):
        yield from part(settings)


def run(*, as_json: bool) -> int:
    """0 if it is safe, else 1."""
    try:
        found = list(findings(load_settings()))
    except SettingsError as wrong:
        found = [unsafe("settings.read", str(wrong), "set it right; nothing else could be looked at")]
    is_safe = all(one.severity is not Severity.UNSAFE for one in found)
    if as_json:
        sys.stdout.write(json.dumps({"safe": is_safe, "findings": [asdict(one) for one in found]}) + "\n")
    else:
        _show(found, is_safe=is_safe)
    return 0 if is_safe else 1


def _show(found: Sequence[Finding], *, is_safe: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True, highlight=False)
    for one in sorted(found, key=lambda one: one.severity is not Severity.UNSAFE):
        line = Text(f"{one.severity:<6}", style=_COLOURS[one.severity])
        console.print(
            line.append(f"  {one.check:<22}", style="bold").append(f"  {one.says}: {one.do}", style="default")
        )
    count = sum(one.severity is Severity.UNSAFE for one in found)
    verdict = "safe" if is_safe else f"unsafe in {count} way{'s' if count > 1 else ''}"
    console.print(Text(f"doctor: {verdict}", style="bold green" if is_safe else "bold red"))
