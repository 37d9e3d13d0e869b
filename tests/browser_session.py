"""A real browser that is driven as a person drives it: over the protocol of its own developer tools."""

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.browser import QUIET, browser

WAIT_S = 20.0
T = TypeVar("T")


@dataclass
class Page:
    """``errors``: what the page has complained of, refused resources among them."""

    socket: ClientConnection
    errors: list[str] = field(default_factory=list)
    _last: int = 0

    def ask(self, method: str, **parameters: object) -> dict[str, Any]:
        self._last += 1
        self.socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            told: dict[str, Any] = json.loads(self.socket.recv(timeout=WAIT_S))
            if told.get("id") == self._last:
                assert "error" not in told, told
                found: dict[str, Any] = told["result"]
                return found
            self._heard(told)

    def _heard(self, told: dict[str, Any]) -> None:
        if told.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(told["params"]["exceptionDetails"]))
        if told.get("method") == "Log.entryAdded" and told["params"]["entry"]["source"] in {"security", "violation"}:
            self.errors.append(str(told["params"]["entry"]["text"]))

    def run(self, script: str) -> Any:
        told = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def goes_to(self, url: str) -> None:
        self.ask("Page.navigate", url=url)

    def eventually(self, script: str, *, why: str = "") -> Any:
        """What the script is, once it is true."""
        return until(lambda: self.run(script), why or script)

    def shows(self, words: str) -> None:
        self.eventually(f"document.body?.innerText.includes({json.dumps(words)})", why=f"no {words!r} on the page")

    def clicks(self, selector: str, words: str | None = None) -> None:
        """As a finger would: in the middle of what is seen, and at rest."""
        found = f"""[...document.querySelectorAll({json.dumps(selector)})].find(
            (one) => !one.disabled && !one.closest("[aria-busy]") && one.checkVisibility()
                && one.innerText.includes({json.dumps(words or "")}))"""
        self.eventually(f"!!({found})", why=f"nothing to click: {selector} {words or ''}")
        x, y = self.run(
            f"(() => {{ const one = {found}; one.scrollIntoView({{block: 'center', behavior: 'instant'}});"
            " const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def types(self, selector: str, text: str) -> None:
        self.clicks(selector)
        self.run(f"document.querySelector({json.dumps(selector)}).select()")
        self.ask("Input.insertText", text=text)

    def looks(self, *, width: int = 1100, height: int = 900, dark: bool = False, mobile: bool = False) -> None:
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[feature])

    def lives_in(self, time_zone: str) -> None:
        self.ask("Emulation.setTimezoneOverride", timezoneId=time_zone)

    def picture(self, path: Path) -> None:
        taken = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))


def until(look: Callable[[], T], why: str) -> T:
    deadline = time.monotonic() + WAIT_S
    while not (found := look()):
        assert time.monotonic() < deadline, why
        time.sleep(0.05)
    return found


@contextmanager
def opened(profile: Path) -> Iterator[Page]:
    """A page of its own. Skips the test where there is no browser."""
    flags = (*QUIET, f"--user-data-dir={profile}", "--remote-debugging-port=0", "--lang=en-GB")
    process = subprocess.Popen([browser(), *flags, "about:blank"], stderr=subprocess.DEVNULL)
    try:
        told = profile / "DevToolsActivePort"
        port = until(lambda: told.exists() and told.read_text().partition("\n")[0], "the browser does not start")
        targets = until(lambda: httpx.get(f"http://127.0.0.1:{port}/json").json(), "no page")
        url = next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page")
        with connect(url, max_size=None) as socket:
            page = Page(socket)
            for domain in ("Page", "Runtime", "Log"):
                page.ask(f"{domain}.enable")
            yield page
    finally:
        process.terminate()
        process.wait(10)
