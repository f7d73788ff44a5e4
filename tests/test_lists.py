"""Lists are made once and found by slug."""

import pytest
from sqlalchemy.orm import Session

from mailer import lists, slugs


def test_a_list_is_made_and_found(session: Session) -> None:
    made = lists.create(session, "urgent-actions", " Urgent  actions ")
    assert lists.get(session, "urgent-actions") is made
    assert made.name == "Urgent actions"
    assert [mailing_list.slug for mailing_list in lists.all_lists(session)] == ["urgent-actions"]


def test_an_unknown_list_is_refused_with_how_to_make_it(session: Session) -> None:
    with pytest.raises(lists.UnknownList, match="mailer lists create newz --name"):
        lists.get(session, "newz")
    assert lists.find(session, "newz") is None


def test_what_cannot_be_made_is_refused(session: Session) -> None:
    lists.create(session, "news", "News")
    with pytest.raises(lists.ListExists, match='named "News"'):
        lists.create(session, "news", "Other news")
    with pytest.raises(lists.NamelessList):
        lists.create(session, "other", " ")
    with pytest.raises(slugs.InvalidSlug):
        lists.create(session, "Other News", "Other news")
