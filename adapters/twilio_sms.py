"""SMS through Twilio's own SDK. A message's fate is looked up in the account's list of messages.

Twilio lists neither the callback URL nor any tag of ours, so each SMS carries a short reference in its text.
"""

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from adapters.provider_answers import ProviderNotConfigured, unsuccessful
from application.notifying import Channel, reference_of
from application.providers import Absent, Accepted, CannotTell, Message, Refused, Unclear

if TYPE_CHECKING:
    from twilio.rest import Client

LISTED_MAX = 200
CLOCKS_DIFFER_MAX = timedelta(minutes=5)
CONCLUSIVE_AFTER = timedelta(minutes=2)


class TwilioSms:
    """``sender`` is an E.164 number or a messaging service id (``MG…``); ``base_url`` replaces Twilio's, for a fake.

    ``callback_url`` is where Twilio may report what becomes of a message; the message's id is added to it.
    """

    channel = Channel.SMS

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        sender: str,
        timeout_s: float,
        base_url: str | None = None,
        callback_url: str | None = None,
        conclusive_after: timedelta = CONCLUSIVE_AFTER,
    ) -> None:
        for value, setting in ((account_sid, "account_sid"), (auth_token, "auth_token"), (sender, "from")):
            if not value:
                raise ProviderNotConfigured(f"DAYBOOK_TWILIO_{setting.upper()} is missing")
        self.conclusive_after = conclusive_after
        self._sender = sender
        self._callback_url = callback_url
        self._client = _client(account_sid, auth_token, timeout_s, base_url)

    def send(self, message: Message) -> Accepted | Refused | Unclear:
        import requests
        from twilio.base.exceptions import TwilioException, TwilioRestException

        sender = "messaging_service_sid" if self._sender.startswith("MG") else "from_"
        about: dict[str, str] = {sender: self._sender}
        if self._callback_url:
            about["status_callback"] = f"{self._callback_url}?delivery={message.delivery_id}"
        try:
            sent = self._client.messages.create(to=message.to, body=message.content.text, **about)
        except TwilioRestException as refused:
            # Not the message: it quotes the number.
            return unsuccessful(int(refused.status), f"twilio_{refused.code or refused.status}")
        except requests.ConnectTimeout:
            return Refused("twilio_unreachable")
        except (requests.RequestException, TwilioException) as broken:
            return _not_connected(broken) or Unclear(f"twilio_{type(broken).__name__}")
        except (ValueError, KeyError, TypeError):  # an answer that is none: taken or not, it does not say
            return Unclear("twilio_unreadable_answer")
        return Accepted(str(sent.sid)) if sent.sid else Unclear("twilio_unreadable_answer")

    def find(self, delivery_id: UUID, to: str, since: datetime) -> Accepted | Absent | CannotTell | Unclear:
        import requests
        from twilio.base.exceptions import TwilioException

        reference = reference_of(delivery_id)
        oldest = since - CLOCKS_DIFFER_MAX
        seen = 0
        try:
            # Newest first, and not filtered by the day sent: what still waits in a queue has none.
            for listed in self._client.messages.stream(to=to, limit=LISTED_MAX):
                seen += 1
                if listed.body and reference in listed.body:
                    return Accepted(str(listed.sid))
                if listed.date_created and listed.date_created.replace(tzinfo=UTC) < oldest:
                    return Absent()
        except (requests.RequestException, TwilioException, ValueError, KeyError, TypeError) as broken:
            return Unclear(f"twilio_lookup_{type(broken).__name__}")
        return Absent() if seen < LISTED_MAX else CannotTell("twilio_too_many_listed")


def _client(account_sid: str, auth_token: str, timeout_s: float, base_url: str | None) -> "Client":
    try:
        from twilio.http.http_client import TwilioHttpClient
        from twilio.rest import Client
    except ImportError as missing:
        raise ProviderNotConfigured("SMS needs the extra: pip install 'daybook[sms]'") from missing
    # At DEBUG the SDK logs numbers and texts.
    logging.getLogger("twilio.http_client").setLevel(logging.WARNING)
    client = Client(account_sid, auth_token, http_client=TwilioHttpClient(timeout=timeout_s))
    if base_url:
        client.api.base_url = base_url.rstrip("/")
    return client


def _not_connected(broken: Exception) -> Refused | None:
    """A connection that never came about carried nothing."""
    import requests
    from urllib3.exceptions import MaxRetryError, NewConnectionError

    if isinstance(broken, requests.ConnectionError) and broken.args:
        cause = broken.args[0]
        if isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError):
            return Refused("twilio_unreachable")
    return None
