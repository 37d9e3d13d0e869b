"""Apache Kafka itself, one node, fetched with Maven and run with Java: for ``make test-kafka``."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.embedded import ServerFailed, await_ready
from infra.program import Process, Program, free_port, listens, stop

HERE = Path(__file__).parent
BUILD_DIR = HERE.parent.parent / "build" / "apache-kafka"
JAVA_VERSION_MIN = 17
FETCHED_WITHIN_S = 600
STOPPED_WITHIN_S = 20.0
CLUSTER_ID = "daybook-test-cluster-1"
"""22 characters of URL-safe base64."""
HEAP = "-Xmx512m"


@contextmanager
def running(data_dir: Path) -> Iterator[str]:
    """A new, empty broker in ``data_dir``; the bootstrap address. Raises ``ServerFailed``, in one line why."""
    java = _java()
    jars = fetched_jars()
    data_dir.mkdir(parents=True)
    port = free_port()
    properties = _properties(data_dir, port)
    classpath = f"{jars}/*"
    formatting = [java, HEAP, "-cp", classpath, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID]
    _run_quietly([*formatting, "-c", str(properties)], "the broker's storage could not be formatted")
    process = _started(
        Program("kafka", (java, HEAP, "-cp", classpath, "kafka.Kafka", str(properties)), cwd=data_dir), data_dir, port
    )
    try:
        yield f"127.0.0.1:{port}"
    finally:
        stop(process, signal.SIGTERM, within_s=STOPPED_WITHIN_S)


def fetched_jars() -> Path:
    """The folder of the broker's jars, fetched once. Raises ``ServerFailed``."""
    jars = BUILD_DIR / "jars"
    complete = jars / ".complete"
    wanted = (HERE / "pom.xml").read_text()
    if complete.exists() and complete.read_text() == wanted:
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerFailed("Apache Kafka needs Maven (mvn), which is not installed")
    shutil.rmtree(jars, ignore_errors=True)
    copying = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
    _run_quietly([maven, "-q", "-B", "-f", str(HERE / "pom.xml"), *copying], "Maven could not fetch Apache Kafka")
    complete.write_text(wanted)  # the last thing: what was interrupted is fetched again
    return jars


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        raise ServerFailed(f"Apache Kafka needs Java {JAVA_VERSION_MIN} or later, which is not installed")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    version = said.partition('"')[2].partition(".")[0].partition('"')[0]
    if not version.isdigit() or int(version) < JAVA_VERSION_MIN:
        raise ServerFailed(f"Apache Kafka needs Java {JAVA_VERSION_MIN} or later; this is {said.splitlines()[0]}")
    return java


def _properties(data_dir: Path, port: int) -> Path:
    controller_port = free_port()
    written = data_dir / "server.properties"
    written.write_text(
        (HERE / "server.properties").read_text()
        + f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n"
        + f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n"
        + f"controller.quorum.voters=1@127.0.0.1:{controller_port}\n"
        + f"log.dirs={data_dir / 'log'}\n"
    )
    return written


def _started(program: Program, data_dir: Path, port: int) -> Process:
    log_path = data_dir / "kafka.log"
    with log_path.open("ab") as log:
        process = program.start(log)
    try:
        await_ready("Apache Kafka", process, lambda: listens(port), lambda: log_path.read_text()[-2_000:])
    except BaseException:
        stop(process, program.stop_with, within_s=STOPPED_WITHIN_S)
        raise
    return process


def _run_quietly(argv: list[str], otherwise: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603  argv is ours
            argv, capture_output=True, text=True, check=False, timeout=FETCHED_WITHIN_S, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise ServerFailed(f"{otherwise} within {FETCHED_WITHIN_S} s") from None
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise ServerFailed(f"{otherwise}: {lines[0] if lines else f'code {done.returncode}'}")


def main() -> int:
    """Fetch the broker, so that what is missing is said before any test begins."""
    try:
        _java()
        jars = fetched_jars()
    except ServerFailed as failed:
        sys.stderr.write(f"test-kafka: {failed}\n")
        return 1
    sys.stdout.write(f"Apache Kafka is in {jars}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
