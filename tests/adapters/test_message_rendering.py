"""What customers read: every occasion in every language over every channel, and nothing that a name could break."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from adapters.message_rendering import STARTS_LISTED_MAX, JinjaRenderer
from application.letters import LETTERS
from application.manage_links import CARRIERS
from application.notifying import Channel, LetterOccasion, Occasion, Template

NEW_YORK = ZoneInfo("America/New_York")
NINE = datetime(2026, 10, 26, 9, tzinfo=NEW_YORK)
"""A Monday in summer time; the next one is not."""
WEEK = timedelta(weeks=1)
SMS_CHARACTERS_MAX = 320
SERIES = [template for template in Template if template.startswith("series")]
VISITS = [template for template in Template if template not in LETTERS and template not in SERIES]


@pytest.fixture(scope="module")
def renderer() -> JinjaRenderer:
    return JinjaRenderer()


def occasion(weeks: int = 1) -> Occasion:
    return Occasion(
        organization_name="Clinic",
        service_name="Visit",
        starts=tuple(NINE + n * WEEK for n in range(weeks)),
        ends_at=NINE + timedelta(hours=1),
        previously_at=None,
        until=None,
        seats=1,
        is_requested=False,
        location_name="Centre",
        address="1 High Street",
        with_names=("Dr Reis",),
        customer_name="Ana",
        reference="AB12C-34D56",
    )


OFFER = replace(occasion(), until=NINE - timedelta(hours=2))


def said_of(template: Template) -> Occasion:
    return occasion(9) if template in SERIES else OFFER


@pytest.mark.parametrize("locale", ["en", "pt-BR"])
@pytest.mark.parametrize("template", [*VISITS, *SERIES])
def test_every_occasion_is_told_over_every_channel_in_every_language(
    renderer: JinjaRenderer, template: Template, locale: str
) -> None:
    mail = renderer.render(template, Channel.EMAIL, locale, said_of(template))
    sms = renderer.render(template, Channel.SMS, locale, said_of(template))
    push = renderer.render(template, Channel.PUSH, locale, said_of(template))

    nine = "9:00 AM" if locale == "en" else "09:00"
    assert mail.html
    assert f'<html lang="{locale[:2]}">' in mail.html
    for text in (mail.subject, mail.text, mail.html, sms.text, push.text):
        assert "Visit" in text
        assert nine in text
    for text in (mail.text, mail.html, sms.text, push.text):
        assert "Clinic" in text
    assert push.subject
    assert "AB12C-34D56" in sms.text
    assert len(sms.text) <= SMS_CHARACTERS_MAX
    assert not any("\n" in line for line in (mail.subject, sms.text, push.subject, push.text))


@pytest.mark.parametrize("channel", Channel)
def test_no_two_occasions_or_languages_are_told_in_the_same_words(renderer: JinjaRenderer, channel: Channel) -> None:
    told = {
        renderer.render(template, channel, language, said_of(template))
        for template in (*VISITS, *SERIES)
        for language in ("en", "pt")
    }

    assert len(told) == 2 * len(VISITS + SERIES)


@pytest.mark.parametrize("template", [*VISITS, *SERIES])
def test_names_are_text_in_html_and_leave_one_line_texts_on_one_line(
    renderer: JinjaRenderer, template: Template
) -> None:
    evil = "<script>\nBcc: all & 'sundry'{{ 7 * 7 }}"
    about = replace(
        said_of(template),
        organization_name=evil,
        service_name=evil,
        customer_name=evil,
        location_name=evil,
        address=evil,
        with_names=(evil,),
    )

    mail = renderer.render(template, Channel.EMAIL, "en", about)
    sms = renderer.render(template, Channel.SMS, "en", about)

    assert mail.html
    assert "<script>" not in mail.html
    assert "&lt;script&gt;" in mail.html
    assert "&amp;amp;" not in mail.html
    assert "49" not in mail.html
    assert "<script>" in mail.text
    assert "\n" not in mail.subject + sms.text


def test_an_offer_says_until_when_it_is_kept(renderer: JinjaRenderer) -> None:
    mail = renderer.render(Template.OFFER, Channel.EMAIL, "en", OFFER)
    sms = renderer.render(Template.OFFER, Channel.SMS, "en", OFFER)

    assert "until Monday, October 26, 2026, 7:00 AM" in mail.text
    assert "until Mon 26 Oct, 7:00 AM" in sms.text


@pytest.mark.parametrize("template", VISITS)
def test_seats_are_counted_where_there_are_several(renderer: JinjaRenderer, template: Template) -> None:
    for channel in Channel:
        alone = renderer.render(template, channel, "en", OFFER)
        three = renderer.render(template, channel, "en", replace(OFFER, seats=3))

        assert "seat" not in alone.text
        assert "3 seats" in three.text


@pytest.mark.parametrize("template", SERIES)
def test_of_a_series_the_first_dates_are_listed_and_the_rest_counted(
    renderer: JinjaRenderer, template: Template
) -> None:
    text = renderer.render(template, Channel.EMAIL, "en", occasion(STARTS_LISTED_MAX + 3)).text

    listed = [line for line in text.splitlines() if "9:00 AM" in line]
    assert len(listed) == STARTS_LISTED_MAX
    assert "Monday, November 30, 2026, 9:00 AM" in listed[-1]
    assert "         and 3 more\n" in text
    assert "more" not in renderer.render(template, Channel.EMAIL, "en", occasion(STARTS_LISTED_MAX)).text


def test_a_series_across_the_end_of_summer_time_names_no_season(renderer: JinjaRenderer) -> None:
    assert "(Eastern Time)" in renderer.render(Template.SERIES, Channel.EMAIL, "en", occasion(3)).text
    assert "(Eastern Daylight Time)" in renderer.render(Template.SERIES, Channel.EMAIL, "en", occasion(1)).text


def test_a_series_that_is_not_approved_yet_is_not_said_to_be_confirmed(renderer: JinjaRenderer) -> None:
    about = replace(occasion(4), is_requested=True)

    for channel in Channel:
        content = renderer.render(Template.SERIES, channel, "en", about)
        assert "Series confirmed" not in content.subject
        assert "is confirmed" not in content.text
    assert renderer.render(Template.SERIES, Channel.EMAIL, "en", about).subject.startswith("Requested: ")


def test_a_language_without_templates_is_answered_in_english(renderer: JinjaRenderer) -> None:
    for locale in ("fr-FR", "not a locale", None):
        subject = renderer.render(Template.REMINDER, Channel.EMAIL, locale, occasion()).subject
        assert subject == "Reminder: Visit, Monday, October 26, 2026 at 9:00 AM"


LINK = "https://book.clinic.example/account#verify-email=abc"
LETTER = LetterOccasion(
    organization_name="Clinic",
    customer_name="Ana",
    code="abc",
    link=LINK,
    reference="AB12C-34D56",
)


@pytest.mark.parametrize("locale", ["en", "pt-BR"])
def test_letters_are_told_by_mail_in_every_language_and_lead_where_they_should(
    renderer: JinjaRenderer, locale: str
) -> None:
    mails = {template: renderer.render(template, Channel.EMAIL, locale, LETTER) for template in LETTERS}

    assert len({mail.subject for mail in mails.values()}) == len(LETTERS)
    for template, mail in mails.items():
        assert mail.html
        assert f'<html lang="{locale[:2]}">' in mail.html
        assert "\n" not in mail.subject
        assert "Ana" in mail.text
        assert "Clinic" in mail.text
        has_link = template not in {Template.SIGN_UP_REPEATED, Template.VISIT_CODE}
        assert (LINK in mail.text) == has_link
        assert (f'<a href="{LINK}"' in mail.html) == has_link


@pytest.mark.parametrize("template", sorted(LETTERS))
def test_names_in_letters_are_text_too(renderer: JinjaRenderer, template: Template) -> None:
    evil = "<script>\nBcc: all & 'sundry'{{ 7 * 7 }}"

    mail = renderer.render(template, Channel.EMAIL, "en", replace(LETTER, organization_name=evil, customer_name=evil))

    assert mail.html
    assert "<script>" not in mail.html
    assert "&lt;script&gt;" in mail.html
    assert "&amp;amp;" not in mail.html
    assert "\n" not in mail.subject


@pytest.mark.parametrize("locale", ["en", "pt-BR"])
def test_a_visitors_code_is_easy_to_read_and_to_find(renderer: JinjaRenderer, locale: str) -> None:
    said = replace(LETTER, code="40183726", link=None)
    mail = renderer.render(Template.VISIT_CODE, Channel.EMAIL, locale, said)
    sms = renderer.render(Template.VISIT_CODE, Channel.SMS, locale, said)

    assert mail.html
    assert "4018&nbsp;3726" in mail.html
    for text in (mail.subject, mail.text, sms.text):
        assert "4018 3726" in text
    assert len(sms.text) <= SMS_CHARACTERS_MAX


@pytest.mark.parametrize("locale", ["en", "pt-BR"])
@pytest.mark.parametrize("template", sorted(CARRIERS))
def test_who_has_no_account_is_sent_the_link_to_the_visit(
    renderer: JinjaRenderer, template: Template, locale: str
) -> None:
    url = "https://book.clinic.example/book/1#manage=abc"
    mail = renderer.render(template, Channel.EMAIL, locale, replace(OFFER, manage_url=url))
    sms = renderer.render(template, Channel.SMS, locale, replace(OFFER, manage_url=url))

    assert mail.html
    assert f'href="{url}"' in mail.html
    assert url in mail.text
    assert url in sms.text
    assert url not in renderer.render(template, Channel.EMAIL, locale, OFFER).text
