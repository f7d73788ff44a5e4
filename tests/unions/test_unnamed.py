"""A union that asked not to be named is named in no mail; the page behind its invitation names it before it asks."""

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import readiness
from mailer.delivery.composing import CampaignComposer
from mailer.delivery.ledger import Claimed
from mailer.delivery.recipients import Recipient
from mailer.people.notices import NoticeKind
from mailer.people.organisers import NOBODY
from mailer.store.models import Purpose, UnionStatus
from mailer.unions import affiliation, applications, contacts, directory, own_lists
from mailer.unions.own_lists import TellingList
from tests.support.factories import (
    SENDER,
    make_campaign,
    make_contact,
    make_list,
    make_subscriber,
    make_union,
    notices_owed,
    said,
)

BASE = SENDER.base_url


def test_an_invitation_names_it_on_its_page_only(session: Session) -> None:
    union = make_union(session, "quiet", name="Quiet Harbour Union", is_named=False)
    contacts.invite(session, union, "ana@example.org")
    invitation = said(notices_owed(session)[0])
    assert (invitation.kind, invitation.words) == (NoticeKind.CONTACT, {"is_invited": "yes"})
    token = str(invitation.token)
    assert applications.look(session, token).union_name == "Quiet Harbour Union"
    assert applications.confirm(session, token, base_url=BASE, told=NOBODY).union_name is None
    assert applications.look(session, token).union_name is None


def test_who_stopped_being_its_contact_comes_back_by_a_page_that_does_not_name_it(session: Session) -> None:
    union = make_union(session, "quiet", is_named=False)
    contacts.step_down(session, make_contact(session, union))
    goodbye = said(notices_owed(session)[0])
    assert goodbye.words == {}
    assert applications.look(session, str(goodbye.token)).union_name is None


def test_what_waits_when_it_asks_for_that_no_longer_names_it(session: Session) -> None:
    union = make_union(session, "loud", name="Loud Union", status=UnionStatus.AFFILIATED)
    make_contact(session, union)
    affiliation.tell(session, union, contacts.of_union(session, union.id), BASE)
    contacts.invite(session, union, "ana@example.org")
    directory.change(session, "loud", is_named=False)
    for owed in notices_owed(session):
        assert "loud" not in str(said(owed).words).lower()
    assert said(notices_owed(session)[-1]).words == {"is_invited": "yes"}


def test_nor_does_what_waits_name_it_as_it_was_called_before_or_drop_the_name_of_another(session: Session) -> None:
    union = make_union(session, "loud", name="Loud Union", status=UnionStatus.AFFILIATED)
    other = make_union(session, "other", name="Loud Union")
    make_contact(session, union, make_subscriber(session, email="cleo@example.org"))
    contacts.step_down(session, make_contact(session, union))
    affiliation.tell(session, union, contacts.of_union(session, union.id), BASE)
    contacts.invite(session, union, "ana@example.org")
    contacts.invite(session, other, "ben@example.org")
    directory.change(session, "loud", name="Louder Union")
    directory.change(session, "loud", is_named=False)
    *its_own, of_other = notices_owed(session)
    assert [said(mail).kind for mail in its_own] == [
        NoticeKind.STEPPED_DOWN,
        NoticeKind.AFFILIATED,
        NoticeKind.CONTACT,
    ]
    assert "loud" not in str([said(mail).words for mail in its_own]).lower()
    assert said(of_other).words == {"union": "Loud Union"}


def test_its_members_read_the_default_in_a_campaign_and_a_check_counts_who_reads_nothing(session: Session) -> None:
    news = make_list(session)
    union = make_union(session, "quiet", name="Quiet Harbour Union", is_named=False)
    make_subscriber(session, news, union=union)
    make_subscriber(session, news, union=make_union(session, "loud"))
    campaign = make_campaign(session, news, body='Of {{ union or "your union" }}. {{ union }}\n')
    assert readiness.find(session, campaign).empty_fields == {"union": 1}
    claimed = Claimed(1, Purpose.TEST, None, None, "en", None, union.id, attempts=0)
    mail = CampaignComposer(session, campaign, SENDER).compose(claimed, Recipient("ana@example.org", None, None)).data
    assert b"Quiet" not in mail
    assert b"your union" in mail


@pytest.mark.parametrize("is_named", [True, False])
def test_no_header_of_a_mail_to_its_own_list_has_the_slug_of_that_list(session: Session, is_named: bool) -> None:
    union = make_union(session, "quiet", is_named=is_named)
    own = make_list(session, "quiet-news")
    own.name, own.owner_id = "News for members", union.id
    campaign = make_campaign(session, own)
    claimed = Claimed(1, Purpose.TEST, None, None, "en", None, None, attempts=0)
    mail = CampaignComposer(session, campaign, SENDER).compose(claimed, Recipient("ana@example.org", None, None)).data
    assert (b"quiet" in mail) == is_named
    assert (b"<members.act.example.org>" in mail) != is_named


@pytest.mark.parametrize(
    "chosen", ["quiet-harbour", "News of the QUIET  Harbour", "For the Portos’ Union!", "portos union", "Pórtos Unión"]
)
def test_nothing_that_is_chosen_for_its_own_list_may_name_it(session: Session, chosen: str) -> None:
    union = make_union(session, "quiet-harbour", name="Portos’ Union", is_named=False)
    own = make_list(session)
    assert not own_lists.is_of_unnamed(session, own, chosen)
    own.owner_id = union.id
    assert own_lists.is_of_unnamed(session, own, "news", "News for members", None)
    with pytest.raises(TellingList, match="tell which union it is"):
        own_lists.is_of_unnamed(session, own, "news", chosen)
    union.is_named = True
    assert not own_lists.is_of_unnamed(session, own, chosen)
