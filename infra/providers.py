"""Which providers carry messages, and which may call back: those whose credentials the settings have."""

from adapters.firebase_push import FirebasePush
from adapters.provider_answers import ProviderNotConfigured
from adapters.sendgrid_callbacks import SendGridCallbacks
from adapters.sendgrid_email import SendGridEmail
from adapters.twilio_callbacks import TwilioCallbacks
from adapters.twilio_sms import TwilioSms
from application.callbacks import CallbackReader
from application.notifying import Channel
from application.providers import Sender
from infra.settings import Settings, SettingsError, needed


def senders_of(settings: Settings) -> dict[Channel, Sender]:
    """One per channel that has a provider. Raises ``SettingsError`` where one is configured by halves."""
    senders: dict[Channel, Sender] = {}
    try:
        if settings.sendgrid_api_key is not None:
            senders[Channel.EMAIL] = _sendgrid(settings)
        if settings.twilio_account_sid is not None:
            senders[Channel.SMS] = _twilio(settings)
        if settings.firebase_credentials is not None:
            senders[Channel.PUSH] = FirebasePush(
                credentials=settings.firebase_credentials,
                timeout_s=settings.provider_timeout_s,
                base_url=settings.firebase_base_url,
            )
    except ProviderNotConfigured as wrong:
        raise SettingsError(str(wrong)) from wrong
    return senders


def callbacks_of(settings: Settings) -> dict[str, CallbackReader]:
    """By the provider's name. Raises ``SettingsError`` for a key that is none."""
    readers: dict[str, CallbackReader] = {}
    try:
        if settings.twilio_auth_token is not None:
            token = settings.twilio_auth_token.get_secret_value()
            readers["twilio"] = TwilioCallbacks(auth_token=token, public_url=settings.public_url)
        if settings.sendgrid_webhook_key is not None:
            readers["sendgrid"] = SendGridCallbacks(public_key=settings.sendgrid_webhook_key)
    except ProviderNotConfigured as wrong:
        raise SettingsError(str(wrong)) from wrong
    return readers


def _sendgrid(settings: Settings) -> Sender:
    return SendGridEmail(
        api_key=needed(settings.sendgrid_api_key, "sendgrid_api_key").get_secret_value(),
        sender=needed(settings.sendgrid_from, "sendgrid_from"),
        timeout_s=settings.provider_timeout_s,
        base_url=settings.sendgrid_base_url,
    )


def _twilio(settings: Settings) -> Sender:
    # Twilio refuses a message whose callback it could not reach; a stand-in takes any.
    reachable = settings.public_url.startswith("https:") or settings.twilio_base_url is not None
    return TwilioSms(
        account_sid=needed(settings.twilio_account_sid, "twilio_account_sid"),
        auth_token=needed(settings.twilio_auth_token, "twilio_auth_token").get_secret_value(),
        sender=needed(settings.twilio_from, "twilio_from"),
        timeout_s=settings.provider_timeout_s,
        base_url=settings.twilio_base_url,
        callback_url=f"{settings.public_url.rstrip('/')}/v1/callbacks/twilio" if reachable else None,
    )
