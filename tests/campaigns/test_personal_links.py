"""No address in a campaign's text tells who follows it, however it comes to stand there."""

import re
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import editions, personal_links, publishing, readiness
from mailer.campaigns.editions import EditionKey, EditionRenderer, Reader, Unrenderable
from mailer.campaigns.personal_links import PersonalLink
from mailer.campaigns.readiness import Refused
from mailer.cases.targets import Target
from mailer.delivery import control, previews
from mailer.delivery.previews import SampleReader
from mailer.kits import making
from mailer.kits.editions import KitEditions
from mailer.kits.wording import Forwarder
from mailer.store.db import utcnow
from mailer.store.models import Campaign, CampaignStatus
from tests.support.factories import SENDER, make_campaign, make_list, make_subscriber, make_union

PERSONAL = "[x](https://example.org/?u={{ union }}&n={{ name }})\n"
TARGETS = (Target((), "Ministry, https://ministry.example.org/form?from=", "m@example.org", "1 Square"),)


def problem(body: str) -> str | None:
    """What is wrong with a body, in whichever wording."""
    template = editions.parse_source(body, file="en.md", line=10)
    for variant in sorted(template.samples()):
        try:
            personal_links.check_body(template.places(variant), TARGETS)
        except PersonalLink as error:
            return f"{error.fields['line']}: {error}"
    return None


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("[x](https://example.org/?u={{ union }})", "{{ union }}"),
        ("[x](HTTP://example.org/#{{ name }})", "{{ name }}"),
        ('[x](https://example.org/{{ name or "you" }})', '{{ name or "you" }}'),
        ("[x](https://example.org/?to={{ target_email }})", "{{ target_email }}"),
        ("[x](https://{{ country }}.example.org/)", "{{ country }}"),
        ("[x](tel:+44{{ country }})", "{{ country }}"),
        ("[x](tel:{{ country }})", "{{ country }}"),
        ("[x](tel:{{ target_address }}{{ name }})", "{{ target_address }}"),
        ("[x](tel:{{ target_address }};ext=1)", "{{ target_address }}"),
        ("tel:{{ target_address }}/{{ name }}", "{{ target_address }}"),
        ("[x](https://example.org/{{ target_address }})", "{{ target_address }}"),
        ("[x](<https://example.org/a b {{ name }}>)", "{{ name }}"),
        ("[x](h&#116;tps://example.org/{{ name }})", "{{ name }}"),
        ("<https://example.org/{{ name }}>", "{{ name }}"),
        ("https://example.org/{{ name }}", "{{ name }}"),
        ("(https://example.org/**{{ name }}**)", "{{ name }}"),
        ("`https://example.org/{{ name }}`", "{{ name }}"),
        ("    https://example.org/{{ name }}", "{{ name }}"),
        ("```\nhttps://example.org/{{ name }}\n```", "{{ name }}"),
        ("# www.example.org/{{ name }}", "{{ name }}"),
        ("- example.org/{{ name }}", "{{ name }}"),
        ("{{ country }}.example.org", "{{ country }}"),
        ("пример.рф/{{ name }}", "{{ name }}"),
        ("उदाहरण.भारत/{{ name }}", "{{ name }}"),
        ("हिन्दी.भारत?{{ name }}", "{{ name }}"),
        ("{{ name }}.пример.рф", "{{ name }}"),
        ("example.xn--p1ai/{{ name }}", "{{ name }}"),
        ("example.org:8080/{{ name }}", "{{ name }}"),
        ("192.0.2.1/{{ name }}", "{{ name }}"),
        ("192.0.2.1:80{{ country }}/", "{{ country }}"),
        ("of @example.org/{{ name }}", "{{ name }}"),
        ("[https://example.org/{{ name }}](https://example.org/)", "{{ name }}"),
        ("{{ target_name }}{{ name }}", "{{ name }}"),
        ('{{ name or "https://example.org/" }}{{ country }}', "{{ country }}"),
        ("[x](mailto:a@example.org?subject={{ union }})", "{{ union }}"),
        ("<mailto:{{ union }}@example.org>", "{{ union }}"),
        ("{{ union }}@example.org", "{{ union }}"),
        ("<{{ union }}!a@example.org>", "{{ union }}"),
        ("<a/{{ union }}='*{|}~#$%&?^`@example.org>", "{{ union }}"),
        ('[x](https://example.org/{% if country == "GB" %}gb{% else %}all{% endif %})', "A condition on country"),
        ('[x]({% if country == "GB" %}https://a.example.org{% endif %})', "A condition on country"),
        ('[x](tel:+44{% if language == "fr" %}1{% endif %})', "A condition on language"),
        ('<https://example.org/{% if union == "a" %}a{% endif %}>', "A condition on union"),
        ('https://example.org/{% if country == "GB" %}gb{% endif %} is it', "A condition on country"),
        (
            '{% if country == "GB" %}[x](https://example.org/a{% else %}[x](https://example.org/{% endif %})',
            "A condition",
        ),
        ('[x](mailto:a@example.org{% if not union == "a" %}?subject=a{% endif %})', "A condition on union"),
        ('[x](http{% if country == "GB" %}s://a.example{% else %}://b.example{% endif %})', "A condition on country"),
        (
            'See http{% if country == "GB" %}s://example.org{% else %}://example.org{% endif %}',
            "A condition on country",
        ),
        ('[x](mail{% if union == "a" %}to:a@example.org{% else %}to:b@example.org{% endif %})', "A condition on union"),
        ("[x][{{ name }}]\n\n[{{ name }}]: https://example.org/?n={{ name }}&u={{ union }}", "{{ name }}"),
        ("[{{ country }}]\n\n[{{ country }}]: https://example.org/{{ country }}", "{{ country }}"),
        (
            "[{{ name }}]\n\n[{{ name }}]: mailto:a@example.org\n[r]: /\n[r]: https://example.org/{{ name }}",
            "{{ name }}",
        ),
        (
            '[x][r{% if country == "GB" %}{% endif %}]\n\n'
            '[r{% if country == "FR" %}{% endif %}]: https://example.org/{% if union == "a" %}a{% else %}b{% endif %}',
            "A condition on union",
        ),
        ('> {% if country == "GB" %}{% endif %}[r]: https://example.org/{{ name }}\n\n[x][r]', "{{ name }}"),
    ],
)
def test_an_address_that_tells_something_of_its_reader_is_refused(body: str, what: str) -> None:
    found = problem(f"First line.\n\n{body}\n")
    assert found is not None
    assert what in found
    assert "cannot be in the address" in found


def test_the_line_is_that_of_the_field_also_where_it_is_defined_elsewhere() -> None:
    assert str(problem("[x][r]\n\n[r]: https://example.org/{{ country }}\n")).startswith("12: ")
    body = '{% if country == "GB" %}\nOne\n\nTwo\n{% endif %}\n[x](https://example.org/{{ name }})\n'
    assert str(problem(body)).startswith("15: ")


@pytest.mark.parametrize(
    "body",
    [
        "[write](mailto:{{ target_email }})",
        "[{{ target_email }}](mailto:{{ target_email }})",
        "[write](mailto:{{ target_email }}?subject={{ country }}&body=Dear%20{{ target_name }},%20{{ name }})",
        '[write](mailto:a@example.org?subject={% if country == "GB" %}gb{% else %}all{% endif %})',
        "[call](tel:{{ target_address }}), TEL:{{ target_address }}.",
        "mailto:copies@example.org?subject={{ target_email }} or mailto:{{ target_email }}?body={{ name }}",
        "**{{ target_name }}**\\\n{{ target_address }}\\\n{{ target_email }}",
        '{% if country == "GB" %}[x](https://example.org/gb){% else %}[x](https://example.org/all){% endif %}',
        '{% if country == "GB" %}\nSee https://example.org/gb.\n{% endif %}',
        'See {% if country == "GB" %}https://example.org/gb{% else %}https://example.org/all{% endif %}.',
        '{% if union == "a" %}write to info@example.org{% endif %}.',
        "Dear {{ name }}, see https://example.org/a, {{ name }} and [b](https://example.org/b), {{ union }}.",
        '[x](https://example.org/ "for {{ name }}")',
        "{{ name }}/{{ country }}, {{ target_name }} {{ name }}",
        'It is for {{ country }}.{% if country == "GB" %} More.{% endif %}',
        "[x][{{ name }}]\n\n[{{ name }}]: https://example.org/",
        "This is, e.g. {{ name }}, и т.д. {{ name }}? {{ name }}. Да/нет? 1.50/{{ country }}, 24.12.2026/{{ name }}.",
        "At 10:30/{{ country }}: {{ name }}/{{ union }}. Write to {{ union }}, info@example.org.",
    ],
)
def test_what_tells_nothing_and_a_letter_that_readers_send_themselves_are_accepted(body: str) -> None:
    assert problem(f"{body}\n") is None


# --- wherever a loaded campaign comes up ----------------------------------------------------------------------------


@pytest.fixture
def draft(session: Session) -> Campaign:
    """As it was loaded when we refused less."""
    news = make_list(session)
    make_subscriber(session, news)
    campaign = make_campaign(session, news, body=f"Friends,\n\n{PERSONAL}")
    campaign.forwardable = campaign.public = True
    session.commit()
    return campaign


REFUSED = r'^en\.md:7: {{ union }} cannot be in the address "https://example\.org/\?u='


def test_a_check_finds_what_was_loaded_before_and_a_send_refuses_it(session: Session, draft: Campaign) -> None:
    found = [str(finding) for finding in readiness.check(session, draft).findings if finding.code == "text-broken"]
    assert [bool(re.match(REFUSED, each)) for each in found] == [True]
    for refuse in (
        lambda: control.schedule(session, draft, utcnow(), SENDER),
        lambda: control.start(session, draft, SENDER),
    ):
        with pytest.raises(Refused, match=REFUSED.removeprefix("^")):
            refuse()
        session.rollback()
        assert draft.status is CampaignStatus.DRAFT


def test_a_preview_and_a_test_mail_refuse_it_too(session: Session, draft: Campaign, tmp_path: Path) -> None:
    with pytest.raises(Unrenderable, match=REFUSED):
        previews.preview(session, draft, SampleReader(), SENDER, tmp_path)
    with pytest.raises(Unrenderable, match=REFUSED):
        previews.order_test(session, draft, SampleReader(), SENDER, "ana@example.org")


def test_a_subject_and_a_preheader_are_looked_through_as_well(session: Session, draft: Campaign) -> None:
    text = draft.texts[0]
    for part in ("subject", "preheader"):
        text.subject, text.preheader, text.body = "Act", "Now", "Act.\n"
        setattr(text, part, "See example.org/{{ name }}")
        with pytest.raises(Unrenderable, match=r"^en\.md:1: {{ name }}"):
            EditionRenderer(session, draft, SENDER).render(EditionKey("en", ""))


def test_a_link_that_comes_about_for_some_readers_only_is_refused_when_it_is_sent(session: Session) -> None:
    body = (
        '{% if country == "GB" %}[x](https://example.org/{% endif %}{% if country == "FR" %}\n\n{% endif %}'
        '{% if language == "en" %}a){% endif %}\n'
    )
    campaign = make_campaign(session, make_list(session), body=body)
    renderer = EditionRenderer(session, campaign, SENDER)
    with pytest.raises(Unrenderable, match="A condition on"):
        renderer.render(renderer.choose(Reader("en", "GB", None)))


def test_a_kit_of_it_cannot_be_made(session: Session, draft: Campaign) -> None:
    union = make_union(session)
    with pytest.raises(Unrenderable, match=REFUSED):
        KitEditions(session, draft, SENDER).files(Forwarder.of(union), "en")
    assert making.plan(session, draft) >= 1


def test_its_page_is_there_still_and_knows_nothing_of_who_reads_it(session: Session, draft: Campaign) -> None:
    page = publishing.page(session, draft, language="en", shown_in="en")
    assert 'href="https://example.org/?u=&amp;n="' in page.html
