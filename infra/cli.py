"""``daybook``: every process and every job as one verb. Each imports what it needs when it is called, not before."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

WRONG_SETTING = 2

app = typer.Typer(
    name="daybook",
    help="Appointments for people, rooms and equipment; every change a fact in a journal that is never altered.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output, nothing else.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where the data lives.", show_default=False)]


@app.command()
def serve() -> None:
    """Answer HTTP and WebSocket requests."""
    with _made_to_stay():
        from infra.processes.serve import run

    _end(run())


@app.command()
def relay() -> None:
    """Carry facts from the journal to Kafka. Start several: one leads, the others wait."""
    with _made_to_stay():
        from infra.processes.relay import run

    _end(run())


@app.command()
def project(
    names: Annotated[list[str] | None, typer.Argument(help="Read models; all of them without.")] = None,
) -> None:
    """Keep read models up to date."""
    with _made_to_stay():
        from infra.processes.project import run

    _end(run(names or []))


@app.command()
def notify() -> None:
    """Write to customers: e-mail, SMS, push."""
    with _made_to_stay():
        from infra.processes.notify import run

    _end(run())


@app.command()
def timekeeper() -> None:
    """Do what the clock causes: let holds lapse."""
    with _made_to_stay():
        from infra.processes.timekeeper import run

    _end(run())


@app.command()
def webhooks() -> None:
    """Deliver facts to the endpoints that organizations have registered."""
    with _made_to_stay():
        from infra.processes.webhooks import run

    _end(run())


@app.command()
def checkpoint() -> None:
    """Sign what the journal is. Start several: one signs, the others wait."""
    with _made_to_stay():
        from infra.processes.checkpoint import run

    _end(run())


@app.command()
def migrate(*, as_json: Json = False) -> None:
    """Bring the database's durable tables to this version."""
    from infra.processes.migrate import run

    _end(run(as_json=as_json))


@app.command()
def dev(
    *,
    port: Annotated[int, typer.Option(help="The API's port.", min=1, max=65_535)] = 8000,
    data_dir: DataDir = None,
) -> None:
    """Run everything at once on embedded servers, with a demonstration clinic."""
    from infra.processes.dev import run

    _end(run(port=port, data_dir=data_dir))


@app.command()
def demo(
    url: Annotated[str, typer.Option(help="The API.")] = "http://127.0.0.1:8000",
    *,
    as_json: Json = False,
) -> None:
    """Set up the demonstration clinic through the API and print its logins. Again: the same clinic."""
    from infra.demo import run

    _end(run(url, as_json=as_json))


@app.command(name="fake-provider")
def fake_provider(
    *,
    port: Annotated[int, typer.Option(help="0: any free one.", min=0, max=65_535)] = 0,
    events_url: Annotated[str | None, typer.Option(help="Where SendGrid reports to.", show_default=False)] = None,
    events_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.", show_default=False)] = None,
) -> None:
    """Stand in for Twilio, SendGrid and Firebase, with an outbox to look at. Sends nothing."""
    from infra.processes.fake_provider import run

    _end(run(port, events_url, events_key))


@app.command()
def rebuild(name: Annotated[str, typer.Argument(help="The read model.")], *, as_json: Json = False) -> None:
    """Build a read model anew from the journal, beside the live one, and put it in its place."""
    from infra.processes.rebuild import run

    _end(run(name, as_json=as_json))


@app.command()
def replay(*, as_json: Json = False) -> None:
    """Replay the whole journal and compare every read model with its replay."""
    from infra.processes.replay import run

    _end(run(as_json=as_json))


@app.command()
def export(file: Annotated[Path, typer.Argument(help="Where to.")], *, as_json: Json = False) -> None:
    """Write the journal with its tree and checkpoints to a file, to be verified elsewhere."""
    from infra.processes.export import run

    _end(run(file, as_json=as_json))


@app.command()
def verify(
    *,
    proofs: Annotated[Path | None, typer.Option(help="An exported journal, to verify offline instead.")] = None,
    key: Annotated[list[str] | None, typer.Option(help="The public key of its checkpoints, or its file.")] = None,
    checkpoint: Annotated[list[Path] | None, typer.Option(help="A checkpoint that was kept elsewhere.")] = None,
    as_json: Json = False,
) -> None:
    """Sweep the journal for double bookings, with code that shares nothing with the one that books."""
    if proofs:
        if not key:
            raise typer.BadParameter("--proofs needs --key: what is in the file proves nothing by itself")
        from infra.processes import verify_proofs

        _end(verify_proofs.run(proofs, key, checkpoint or [], as_json=as_json))
    from infra.processes.verify import run

    _end(run(as_json=as_json))


@app.command()
def redrive(
    *,
    message: Annotated[UUID | None, typer.Option(help="Only this one.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are listed.")] = False,
    reason: Annotated[str, typer.Option(help="Why; it is logged with your name.", show_default=False)] = "",
    twice: Annotated[bool, typer.Option("--may-be-sent-twice", help="Also what may have been sent.")] = False,
    as_json: Json = False,
) -> None:
    """List messages and webhook deliveries that were parked or given up; with --message or --all, try them again."""
    from infra.processes.redrive import run

    _end(run(message, everything=everything, reason=reason, twice_allowed=twice, as_json=as_json))


@app.command()
def doctor(*, as_json: Json = False) -> None:
    """Look at this deployment and say what is unsafe, and what to do about it."""
    from infra.processes.doctor import run

    _end(run(as_json=as_json))


@app.command()
def real(
    *,
    data: Annotated[Path, typer.Option(help="The rows, CSV, gzipped.")] = Path(
        "../shared/data/vitoria-appointments.csv.gz"
    ),
    data_dir: DataDir = None,
    limit: Annotated[int | None, typer.Option(help="Only so many rows.", min=1)] = None,
) -> None:
    """Replay 39,596 real appointments through the HTTP API of a fresh stack."""
    from infra.processes.real import run

    _end(run(data=data, data_dir=data_dir, limit=limit))


@contextmanager
def _made_to_stay() -> Iterator[None]:
    """What is made within is never garbage: it is not looked through for any, now or while requests wait."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _end(code: int) -> None:
    raise typer.Exit(code)


def main() -> None:
    try:
        app()
    except Exception as wrong:
        from infra.settings import SettingsError  # half a second, which --help need not wait for

        if not isinstance(wrong, SettingsError):
            raise
        sys.stderr.write(f"daybook: {wrong}\n")
        sys.exit(WRONG_SETTING)


if __name__ == "__main__":
    main()
