"""A process that has been asked to stop ends, whatever waits for whom in it."""

import subprocess
import sys

STUCK = """
import signal, sys, threading
from infra import process
process.ENDS_WITHIN_S = 1.0
stuck = threading.Event()
def waits_for_what_never_comes():
    stuck.wait()
threading.Thread(target=waits_for_what_never_comes).start()
process.on_stop(lambda: None)
print("up", flush=True)
"""


def test_a_process_that_waits_for_ever_ends_and_tells_where_it_stood() -> None:
    process = subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "up\n"

    process.terminate()  # its main thread has ended, and waits for the other

    _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "waits_for_what_never_comes" in told
