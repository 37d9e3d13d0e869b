"""Push messages through Firebase Cloud Messaging's own SDK.

FCM cannot be asked what became of a message, so one in doubt is parked. The SDK repeats requests by itself,
also after a time-out, which could send twice: that is turned off.
"""

import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from adapters.provider_answers import ProviderNotConfigured, retry_after, unsuccessful
from application.notifying import Channel
from application.providers import Absent, Accepted, CannotTell, Message, Refused, Unclear

DATA_KEY = "daybook_delivery_id"


class FirebasePush:
    """``credentials`` is a service account's JSON file, whose ``token_uri`` is honoured; ``base_url`` replaces
    FCM's, for a fake. Close it when done: an SDK app is registered under a name of its own.
    """

    channel = Channel.PUSH
    conclusive_after = timedelta()

    def __init__(self, *, credentials: Path, timeout_s: float, base_url: str | None = None) -> None:
        try:
            import firebase_admin
            from firebase_admin import credentials as firebase_credentials
        except ImportError as missing:
            raise ProviderNotConfigured("Push needs the extra: pip install 'daybook[push]'") from missing
        try:
            certificate = firebase_credentials.Certificate(str(credentials))
        except (OSError, ValueError) as unusable:
            raise ProviderNotConfigured(f"DAYBOOK_FIREBASE_CREDENTIALS: {type(unusable).__name__}") from unusable
        self._app = firebase_admin.initialize_app(
            certificate, {"httpTimeout": timeout_s}, name=f"daybook-{uuid4().hex}"
        )
        self._point(certificate.project_id, base_url)

    def _point(self, project_id: str, base_url: str | None) -> None:
        """Once, at the right place, without repetition. Private names of the SDK: a test guards each of them."""
        from firebase_admin import messaging
        from requests.adapters import HTTPAdapter

        service: Any = messaging._get_messaging_service(self._app)
        session = service._client.session
        for prefix in list(session.adapters):
            session.mount(prefix, HTTPAdapter(max_retries=0))
        if base_url:
            service._fcm_url = f"{base_url.rstrip('/')}/v1/projects/{project_id}/messages:send"
            # Beside each token the SDK asks Google where the account may be used: nobody there knows a stand-in's.
            service._credential._is_regional_access_boundary_lookup_required = lambda: False

    def send(self, message: Message) -> Accepted | Refused | Unclear:
        import google.auth.exceptions
        from firebase_admin import exceptions, messaging

        push = messaging.Message(
            notification=messaging.Notification(title=message.content.subject, body=message.content.text),
            data={DATA_KEY: str(message.delivery_id)},
            # Whatever happens on the way, a device shows messages of one tag or collapse id once.
            android=messaging.AndroidConfig(notification=messaging.AndroidNotification(tag=str(message.delivery_id))),
            apns=messaging.APNSConfig(headers={"apns-collapse-id": str(message.delivery_id)}),
        )
        # Not as an argument: that warns, and ``fid`` is for installations, which are no registration tokens.
        push.token = message.to
        try:
            return Accepted(messaging.send(push, app=self._app))
        except google.auth.exceptions.GoogleAuthError as refused:
            return Refused(f"firebase_token_{type(refused).__name__}")
        except exceptions.FirebaseError as error:
            return _unsuccessful(error)
        except (ValueError, KeyError, TypeError) as unreadable:
            return Unclear(f"firebase_{type(unreadable).__name__}")

    def find(self, delivery_id: UUID, to: str, since: datetime) -> CannotTell | Absent | Accepted | Unclear:  # noqa: ARG002
        return CannotTell("firebase_cannot_be_asked")

    def close(self) -> None:
        import firebase_admin

        firebase_admin.delete_app(self._app)


def _unsuccessful(error: Any) -> Refused | Unclear:
    """``error`` is a ``FirebaseError``: with the answer, or with what prevented one."""
    import requests

    reason = f"firebase_{str(error.code).lower()}"
    if error.http_response is not None:
        return unsuccessful(error.http_response.status_code, reason, retry_after(error.http_response.headers))
    if isinstance(error.cause, requests.ConnectTimeout) or "NewConnectionError" in repr(error.cause):
        return Refused("firebase_unreachable")
    return Unclear(reason)


logging.getLogger("firebase_admin").setLevel(logging.WARNING)
