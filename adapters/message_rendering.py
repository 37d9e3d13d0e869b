"""Messages from the Jinja2 templates of ``application/message_templates``, in a sandbox, by locale.

A template file holds one occasion in one language, as blocks: ``subject``, ``text`` and ``html`` of the e-mail,
``sms``, ``push_title``, ``push_text``; ``words.jinja`` holds what all of them say in the same words. Names come from
users, so HTML is escaped and one-line texts stay one line.
"""

from datetime import datetime
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time, get_timezone_name
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

import application
from application.notifying import Channel, Content, LetterOccasion, Occasion, Template

DIRECTORY = Path(application.__file__).parent / "message_templates"
FALLBACK = "en"
NAME_IN_SMS_MAX = 40
"""Characters: three names and the rest fit into a few SMS segments."""
STARTS_LISTED_MAX = 6
"""Of a series; how many more there are is told as a number."""


class JinjaRenderer:
    """The application's ``Renderer``. Thread-safe."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self._plain = _environment(directory, escaped=False)
        self._html = _environment(directory, escaped=True)
        self._languages = {path.name for path in directory.iterdir() if path.is_dir()}

    def render(
        self, template: Template, channel: Channel, locale: str | None, about: Occasion | LetterOccasion
    ) -> Content:
        """``locale`` is BCP 47; a language without templates is answered in English."""
        spoken = self._spoken(locale)
        name = f"{spoken.language}/{template}.jinja"
        words = _words(about, spoken) if isinstance(about, Occasion) else _words_of_letter(about)
        match channel:
            case Channel.EMAIL:
                return Content(
                    subject=_one_line(_block(self._plain, name, "subject", words)),
                    text=_block(self._plain, name, "text", words).strip() + "\n",
                    html=_block(self._html, name, "html", words).strip() + "\n",
                )
            case Channel.SMS:
                return Content(subject="", text=_one_line(_block(self._plain, name, "sms", words)))
            case Channel.PUSH:
                return Content(
                    subject=_one_line(_block(self._plain, name, "push_title", words)),
                    text=_one_line(_block(self._plain, name, "push_text", words)),
                )

    def _spoken(self, locale: str | None) -> Locale:
        try:
            parsed = Locale.parse((locale or FALLBACK).replace("_", "-"), sep="-")
        except (ValueError, UnknownLocaleError):
            parsed = Locale.parse(FALLBACK)
        return parsed if parsed.language in self._languages else Locale.parse(FALLBACK)


def _environment(directory: Path, *, escaped: bool) -> Environment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(directory), autoescape=escaped, undefined=StrictUndefined
    )
    environment.filters["brief"] = _brief
    return environment


def _block(environment: Environment, name: str, block: str, words: dict[str, object]) -> str:
    template = environment.get_template(name)
    return "".join(template.blocks[block](template.new_context(words)))


def _words(about: Occasion, locale: Locale) -> dict[str, object]:
    """The templates' variables: all of them, for every occasion."""
    first, was, until = about.starts[0], about.previously_at, about.until
    zones = {get_timezone_name(start, width="long", locale=locale) for start in about.starts}
    return {
        "organization": about.organization_name,
        "service": about.service_name,
        "customer": about.customer_name,
        "with": ", ".join(about.with_names),
        "location": about.location_name,
        "place": ", ".join(part for part in (about.location_name, about.address) if part),
        "day": format_date(first.date(), "full", locale=locale),
        "short_day": _short_day(first, locale),
        "time": _time(first, locale),
        "end_time": _time(about.ends_at, locale),
        # Of several dates some may lie in summer: then the zone is named without saying which time it keeps.
        "zone": zones.pop() if len(zones) == 1 else get_timezone_name(first.tzinfo, width="long", locale=locale),
        "previously": was and _day_and_time(was, locale),
        "short_previously": was and f"{_short_day(was, locale)}, {_time(was, locale)}",
        "until": until and _day_and_time(until, locale),
        "short_until": until and f"{_short_day(until, locale)}, {_time(until, locale)}",
        "seats": about.seats if about.seats > 1 else None,
        "requested": about.is_requested,
        "count": len(about.starts),
        "dates": [_day_and_time(start, locale) for start in about.starts[:STARTS_LISTED_MAX]],
        "more": max(0, len(about.starts) - STARTS_LISTED_MAX),
        "manage_url": about.manage_url,
        "reference": about.reference,
    }


def _words_of_letter(about: LetterOccasion) -> dict[str, object]:
    return {
        "organization": about.organization_name,
        "customer": about.customer_name,
        "code": about.code,
        "link": about.link,
        "reference": about.reference,
    }


def _day_and_time(moment: datetime, locale: Locale) -> str:
    return f"{format_date(moment.date(), 'full', locale=locale)}, {_time(moment, locale)}"


def _short_day(moment: datetime, locale: Locale) -> str:
    return format_datetime(moment, "EEE d MMM", tzinfo=moment.tzinfo, locale=locale)


def _time(moment: datetime, locale: Locale) -> str:
    # CLDR puts a narrow no-break space before AM and PM: that one character would double the price of an SMS.
    return format_time(moment.timetz(), "short", tzinfo=moment.tzinfo, locale=locale).replace("\u202f", " ")


def _brief(name: str) -> str:
    return name if len(name) <= NAME_IN_SMS_MAX else name[: NAME_IN_SMS_MAX - 1].rstrip() + "…"


def _one_line(text: str) -> str:
    return " ".join(text.split())
