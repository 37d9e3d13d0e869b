"""The demonstration clinic's way to the HTTP API: the standard library only, as any client program's might be."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

CATCHES_UP_AFTER_CALLS = 15
RETRY_AFTER_S = 1.0


class Unanswered(Exception):  # noqa: N818
    """The API did not answer as it should; the message is what it said."""


class NotYet(Unanswered):
    """503: to be asked again."""


class Client:
    """JSON over HTTP. A query carries the position of the last command, so it sees what was just done."""

    def __init__(self, url: str, token: str | None = None, position: str = "0") -> None:
        self._url, self.token, self._position = url, token, position

    def signed_in(self, email: str, password: str) -> "Client":
        form = urllib.parse.urlencode({"grant_type": "password", "username": email, "password": password})
        content = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._call("POST", "/v1/auth/token", form.encode(), content)
        return Client(self._url, answer["access_token"], self._position)

    def post(self, path: str, body: Mapping[str, Any], *, key: str) -> dict[str, Any]:
        # Keys are ASCII; the names in ours are not.
        headers = {"Content-Type": "application/json", "Idempotency-Key": urllib.parse.quote(key)}
        return self._call("POST", path, json.dumps(body).encode(), headers)

    def get(self, path: str, **query: str) -> dict[str, Any]:
        path = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        for _ in range(CATCHES_UP_AFTER_CALLS):
            try:
                return self._call("GET", path, None, {"Journal-Position": self._position})
            except NotYet:
                time.sleep(RETRY_AFTER_S)  # a machine that is only just starting takes its time
        raise Unanswered(f"GET {path}: the read models do not catch up")

    def _call(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> dict[str, Any]:
        request = urllib.request.Request(self._url + path, data=body, headers=dict(headers), method=method)  # noqa: S310
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  the operator's own URL
                self._position = answer.headers.get("Journal-Position", self._position)
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as refused:
            raise (NotYet if refused.code == 503 else Unanswered)(
                f"{method} {path}: {refused.code} {refused.read().decode(errors='replace')}"
            ) from None
        except OSError as unreachable:
            raise Unanswered(f"{method} {path}: {unreachable}") from None
