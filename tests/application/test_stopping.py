import signal
import time

from application.stopping import StopRequest


def test_a_pause_ends_soon_after_a_signal_asks_for_the_stop() -> None:
    stop = StopRequest()
    before = signal.signal(signal.SIGALRM, lambda *_: stop.make())
    signal.setitimer(signal.ITIMER_REAL, 0.05)  # when
    began = time.monotonic()
    stop.pause(30.0)
    signal.signal(signal.SIGALRM, before)
    assert stop.made
    assert time.monotonic() - began < 5.0


def test_a_pause_lasts_if_no_one_asks() -> None:
    began = time.monotonic()
    StopRequest().pause(0.15)
    assert time.monotonic() - began >= 0.15
