"""E-mail through SendGrid's own SDK. A message's fate is looked up in the Email Activity feed by our id.

That feed is an add-on of an account: where it is missing, a message in doubt can only be parked.
"""

import http.client
import logging
import urllib.error
from datetime import datetime, timedelta
from email.utils import parseaddr
from socket import gaierror
from typing import TYPE_CHECKING
from uuid import UUID

from adapters.provider_answers import ProviderNotConfigured, retry_after, unsuccessful
from application.notifying import Channel
from application.providers import Absent, Accepted, CannotTell, Message, Refused, Unclear

if TYPE_CHECKING:
    from sendgrid import SendGridAPIClient

CUSTOM_ARG = "daybook_delivery_id"
CONCLUSIVE_AFTER = timedelta(minutes=30)
"""The activity feed runs behind the sending by some minutes."""


class SendGridEmail:
    """``sender`` is an address or ``Name <address>``; ``base_url`` replaces SendGrid's, for a fake."""

    channel = Channel.EMAIL

    def __init__(
        self,
        *,
        api_key: str,
        sender: str,
        timeout_s: float,
        base_url: str | None = None,
        conclusive_after: timedelta = CONCLUSIVE_AFTER,
    ) -> None:
        if not api_key:
            raise ProviderNotConfigured("DAYBOOK_SENDGRID_API_KEY is missing")
        self._sender_name, self._sender = parseaddr(sender)
        if "@" not in self._sender:
            raise ProviderNotConfigured("DAYBOOK_SENDGRID_FROM must be an e-mail address")
        self.conclusive_after = conclusive_after
        self._client = _client(api_key, timeout_s, base_url)

    def send(self, message: Message) -> Accepted | Refused | Unclear:
        from python_http_client.exceptions import HTTPError
        from sendgrid.helpers.mail import CustomArg, Mail

        mail = Mail(
            from_email=(self._sender, self._sender_name or None),
            to_emails=message.to,
            subject=message.content.subject,
            plain_text_content=message.content.text,
            html_content=message.content.html,
        )
        mail.add_custom_arg(CustomArg(CUSTOM_ARG, str(message.delivery_id)))
        try:
            answer = self._client.client.mail.send.post(request_body=mail.get())
        except HTTPError as refused:
            # Not the body: it quotes the address.
            reason = f"sendgrid_{refused.status_code}"
            return unsuccessful(int(refused.status_code), reason, retry_after(refused.headers))
        except urllib.error.URLError as broken:
            if isinstance(broken.reason, (ConnectionRefusedError, gaierror)):
                return Refused("sendgrid_unreachable")
            return Unclear(f"sendgrid_{type(broken.reason).__name__}")
        except (OSError, http.client.HTTPException) as broken:
            return Unclear(f"sendgrid_{type(broken).__name__}")
        return Accepted(str(answer.headers.get("X-Message-Id") or ""))

    def find(self, delivery_id: UUID, to: str, since: datetime) -> Accepted | Absent | CannotTell | Unclear:  # noqa: ARG002
        from python_http_client.exceptions import HTTPError

        query = f"unique_args['{CUSTOM_ARG}']=\"{delivery_id}\""
        try:
            answer = self._client.client.messages.get(query_params={"query": query, "limit": 1})
            listed = answer.to_dict["messages"]
        except HTTPError as refused:
            if refused.status_code in {401, 403, 404}:
                return CannotTell("sendgrid_no_activity_feed")
            return Unclear(f"sendgrid_lookup_{refused.status_code}")
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as broken:
            return Unclear(f"sendgrid_lookup_{type(broken).__name__}")
        return Accepted(str(listed[0]["msg_id"])) if listed else Absent()


def _client(api_key: str, timeout_s: float, base_url: str | None) -> "SendGridAPIClient":
    try:
        from sendgrid import SendGridAPIClient
    except ImportError as missing:
        raise ProviderNotConfigured("E-mail needs the extra: pip install 'daybook[email]'") from missing
    # At DEBUG the SDK logs the API key and whole messages.
    logging.getLogger("python_http_client").setLevel(logging.WARNING)
    client = SendGridAPIClient(api_key, **({"host": base_url.rstrip("/")} if base_url else {}))
    client.client.timeout = timeout_s
    return client
