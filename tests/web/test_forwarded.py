"""Whoever has a mail that was forwarded does not learn what has become of its owner."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mailer.links import Link
from mailer.people import mailed_links, subscribers, suppression
from mailer.people.mailed_links import LIFETIME
from mailer.selfservice import leaving
from mailer.selfservice.leaving import Method, Scope
from mailer.store.db import utcnow
from mailer.store.models import MailedLink, MailedLinkKind, MailingList, Subscriber, Subscription, SuppressionReason
from mailer.unions import contacts, directory
from tests.support.factories import make_contact, make_list, make_subscriber, make_union
from tests.web.pages import address_of, first_part, rules, seen, signed

Act = Callable[[Session, Subscription], object]


def erase(session: Session, subscription: Subscription) -> None:
    subscribers.erase(session, session.get_one(Subscriber, subscription.subscriber_id).email)


def suppress(reason: SuppressionReason) -> Act:
    def act(session: Session, subscription: Subscription) -> None:
        suppression.add(session, session.get_one(Subscriber, subscription.subscriber_id).email_index, reason)

    return act


def close(session: Session, subscription: Subscription) -> None:
    session.get_one(MailingList, subscription.list_id).is_open = False


def give_to_union(session: Session, subscription: Subscription) -> None:
    session.get_one(MailingList, subscription.list_id).owner_id = directory.get(session, "dockers").id


def leave(scope: Scope) -> Act:
    return lambda session, subscription: leaving.leave(session, subscription, method=Method.ONE_CLICK, scope=scope)


#: what may have become of who the mail was sent to
BECAME: dict[str, Act] = {
    "is on the list": lambda _session, _subscription: None,
    "pauses": lambda session, subscription: leaving.pause(session, subscription, 4),
    "has left": leave(Scope.LIST),
    "has left all": leave(Scope.ALL),
    "cannot be reached": suppress(SuppressionReason.BOUNCED),
    "complained": suppress(SuppressionReason.COMPLAINED),
    "the list is closed": close,
    "the list is a union's own": give_to_union,
    "was erased": erase,
}
#: what leaves nothing to be undone
NOT_ON_IT = ("has left all", "was erased")
FORMS: dict[str, dict[str, str]] = {
    "one click": {"List-Unsubscribe": "One-Click"},
    "nothing": {},
    "list": {"scope": "list", "reason": "too many"},
    "all": {"scope": "all"},
    "pause": {"weeks": "4"},
}


@pytest.fixture
def token_of(app: Flask, session: Session) -> Callable[[str], str]:
    """Makes a person, lets something become of them, and returns the token that stood in their mail."""
    make_union(session)

    def make(became: str) -> str:
        mailing_list = make_list(session, f"list-{became.replace(' ', '-')}", name=f"List of who {became}")
        person = make_subscriber(session, mailing_list, language="el")
        (subscription,) = session.scalars(select(Subscription).where(Subscription.subscriber_id == person.id))
        token = signed(app, Link.UNSUBSCRIBE, subscription.id)
        BECAME[became](session, subscription)
        session.commit()
        return token

    return make


def answer(client: FlaskClient, address: str, method: str, fields: dict[str, str] | None = None) -> Any:
    """Status, text and headers, without tokens."""
    status, text, headers = seen(client.open(address, method=method, data=fields))
    return status, re.sub(r"[0-9a-f]{40}", "TOKEN", text), sorted((name, value) for name, value in headers)


@pytest.mark.parametrize("part", ["unsubscribe", "preferences"])
def test_no_page_of_a_mails_links_tells_what_became_of_its_owner(
    app: Flask, client: FlaskClient, token_of: Callable[[str], str], part: str
) -> None:
    tokens = [token_of(became) for became in BECAME]
    pages = [rule for rule in rules(app) if first_part(rule) == part and "token" in rule.arguments]
    assert pages
    for rule in pages:
        answers = [answer(client, address_of(app, rule, token), "GET") for token in tokens]
        assert answers == [answers[0]] * len(BECAME), rule.rule
        assert answers[0][0] == 200


@pytest.mark.parametrize("form", FORMS)
def test_no_answer_to_a_form_of_a_mails_links_tells_that_its_owner_was_erased(
    app: Flask, client: FlaskClient, token_of: Callable[[str], str], form: str
) -> None:
    forms = [
        rule
        for rule in rules(app, "POST")
        if first_part(rule) in ("unsubscribe", "preferences") and "token" in rule.arguments
    ]
    assert len(forms) >= 3
    for number, rule in enumerate(forms):
        # Whom the page's own button takes off is offered the way back there; nobody else is.
        ends_it = first_part(rule) == "unsubscribe" and "scope" in FORMS[form]
        compared = NOT_ON_IT if ends_it else tuple(BECAME)
        answers = []
        for became in compared:
            token = token_of_again(token_of, became, number)
            answers.append(answer(client, address_of(app, rule, token), "POST", FORMS[form]))
        assert answers == [answers[0]] * len(compared), (rule.rule, compared)
        assert answers[0][0] in (200, 303, 400)


def token_of_again(token_of: Callable[[str], str], became: str, number: int) -> str:
    """As `token_of`, which needs a list of its own each time."""
    BECAME[f"{became} {number}"] = BECAME[became]
    try:
        return token_of(f"{became} {number}")
    finally:
        del BECAME[f"{became} {number}"]


def test_who_was_taken_off_by_the_page_reads_the_same_whatever_the_list(
    client: FlaskClient, token_of: Callable[[str], str]
) -> None:
    """Save those of whom mail came back or who complained: they are off already as far as a stranger can tell."""
    on_it = ("is on the list", "pauses", "the list is closed", "the list is a union's own")
    answers = [answer(client, f"/unsubscribe/{token_of(became)}", "POST", {"scope": "list"}) for became in on_it]
    assert answers == [answers[0]] * len(on_it)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_page_to_stop_a_unions_mail_tells_whether_its_owner_still_gets_it(
    app: Flask, client: FlaskClient, session: Session, method: str
) -> None:
    answers = []
    for number, became in enumerate(("is one", "stepped down", "was removed", "was erased", "of an unnamed union")):
        union = make_union(session, f"union-{number}", is_named=became != "of an unnamed union")
        person = make_subscriber(session, language="el")
        contact = make_contact(session, union, person)
        token = signed(app, Link.CONTACT, contact.id)
        match became:
            case "stepped down":
                contacts.step_down(session, contact)
            case "was removed":
                contacts.remove(session, union, person.email)
            case "was erased":
                subscribers.erase(session, person.email)
        session.commit()
        answers.append(answer(client, f"/no-contact/{token}", method))
    assert answers == [answers[0]] * 5
    assert answers[0][0] == 200


@pytest.mark.parametrize("kind", MailedLinkKind)
def test_a_mailed_link_of_who_was_erased_says_what_one_says_that_ran_out(
    app: Flask, client: FlaskClient, session: Session, kind: MailedLinkKind
) -> None:
    assert kind in LIFETIME
    part = {
        MailedLinkKind.SIGN_UP: "confirm",
        MailedLinkKind.MANAGE: "manage",
        MailedLinkKind.ADDRESS: "address",
        MailedLinkKind.UNDO: "undo",
        MailedLinkKind.RESUME: "resume",
        MailedLinkKind.CONTACT: "contact",
        MailedLinkKind.TAKE_BACK: "take-back",
        MailedLinkKind.SIGN: "signed",
    }.get(kind)
    if part is None:
        pytest.skip("its page is compared where it is tested")
    tokens = []
    for _ in range(2):
        person = make_subscriber(session)
        tokens.append(mailed_links.issue(session, kind, email_index=person.email_index, subscriber_id=person.id))
        if len(tokens) == 1:
            session.execute(update(MailedLink).values(expires_at=utcnow()))
        else:
            subscribers.erase(session, person.email)
    session.commit()
    for method in ("GET", "POST"):
        pages = [rule for rule in rules(app, method) if first_part(rule) == part and "token" in rule.arguments]
        for rule in pages:
            ran_out, erased = (answer(client, address_of(app, rule, token), method) for token in tokens)
            assert erased == ran_out, (rule.rule, method)
    assert answer(client, f"/{part}/{tokens[1]}", "GET")[0] == 410
