"""What an organiser does for somebody who rang or wrote. Whom it puts on a list or takes off one is mailed about it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.formats import marks
from mailer.locale import countries, languages
from mailer.mail import addresses
from mailer.people import consents, lists, subscribers, suppression
from mailer.people.subscribers import MAX_TEXT_LENGTH
from mailer.selfservice import leaving, preferences, signups
from mailer.selfservice.leaving import Method
from mailer.selfservice.preferences import NameTooLong, PersonalData
from mailer.selfservice.signups import SignUp
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import Subscriber, SuppressionReason

METHOD = consents.BY_ORGANISER
_UNDETERMINED = "und"  # BCP 47: nobody said in which language the words are


class UnknownPerson(MailerError):
    """We know nobody by that address. Look for a typing error, or for another address of theirs. Whoever has not
    confirmed a sign-up yet is not known."""


class OnAllOfThem(MailerError):
    """They are on the list already: {lists}. Nothing was sent."""


class NoWords(MailerError):
    """Say with which words they asked for the mail: --consent "Asked on the phone to get urgent actions." """


class ChangedMeanwhile(MailerError):
    """They or somebody else have changed these details since this page was opened. See what is stored now, and save
    again what should stay."""


class NoUnionWords(MailerError):
    """Say with which words they agreed that we store their union: it is stored only where they did."""


def get(session: Session, address: str) -> Subscriber:
    """The person with an address.

    :raises addresses.InvalidAddress: it is none.
    :raises UnknownPerson: nobody has it.
    """
    person = subscribers.find(session, address)
    if person is None:
        raise UnknownPerson
    return person


def unsubscribe(
    session: Session,
    address: str,
    list_slug: str | None = None,
    *,
    fallbacks: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> list[str]:
    """Take a person off a list, or off all lists and keep them off; they are mailed a goodbye, which can undo it.

    :param fallbacks: as `leaving.leave` takes them.
    :returns: the slugs of the lists that they were taken off.
    :raises addresses.InvalidAddress: the address is none.
    :raises UnknownPerson: nobody has it.
    :raises lists.UnknownList: no list has that slug.
    """
    suppression.lock_alone(session)
    person = get(session, address)
    if list_slug is not None:
        lists.get(session, list_slug)
    theirs = [each.slug for each in preferences.see(session, person.id).memberships if each.is_on]
    if list_slug is None:
        leaving.leave_all(session, person.id, method=Method.ORGANISER)
        return theirs
    if list_slug not in theirs:
        return []
    subscription = preferences.subscription_to(session, person.id, list_slug)
    leaving.leave(session, subscription, method=Method.ORGANISER, fallbacks=fallbacks)
    return [list_slug]


def mark(held: PersonalData) -> str:
    """What is different once a person's details are."""
    return marks.of(held.name, held.country, held.language, held.union)


def describe(
    session: Session,
    subscriber_id: int,
    *,
    seen: str,
    name: str,
    country: str,
    language: str,
    union: str,
    union_words: str = "",
) -> None:
    """Change how a person is addressed, where they live, what they read, and which union they belong to. What is empty
    is forgotten.

    :param seen: their `mark` when somebody looked: they may have taken something out since.
    :param country: and the language as `preferences.describe` takes them.
    :param union: as `directory.recognise` reads it.
    :param union_words: with which they agreed that we store another union than before.
    Whatever is raised, nothing may be committed.

    :raises ChangedMeanwhile: their details are others by now.
    :raises NameTooLong: the name has more than 200 characters.
    :raises countries.UnknownCountry: it is no country that we know.
    :raises languages.InvalidLanguage: it is no language that we know.
    :raises preferences.UnrecognisedUnion: it is none that we know.
    :raises NoUnionWords: they would have to have agreed to that union.
    """
    subscribers.lock_row(session, Subscriber.id == subscriber_id)
    if mark(preferences.see(session, subscriber_id)) != seen:
        raise ChangedMeanwhile
    preferences.describe(session, subscriber_id, name=name, country=country, language=language)
    if not union.strip():
        preferences.forget_union(session, subscriber_id, method=METHOD)
        return
    held = preferences.see(session, subscriber_id).union
    words = subscribers.one_line(union_words)
    if subscribers.one_line(union) != subscribers.one_line(held or "") and words is None:
        raise NoUnionWords
    preferences.state_union(session, subscriber_id, union, words=words or "", shown_in=_UNDETERMINED, method=METHOD)


def add(
    session: Session,
    address: str,
    list_slugs: Sequence[str],
    *,
    consent: str,
    name: str | None = None,
    country: str | None = None,
    language: str = "en",
) -> bool:
    """Owe somebody the mail that asks whether they want to be on lists. They are on none before they confirm it.

    Who was mailed one in the last day gets no other: the link in that one leads to this too, unless it went to another
    alias of the mailbox.

    :param consent: the words with which they asked for it; the consent log keeps them once it is confirmed.
    :param country: as `countries.parse` reads it; :param language: of the mail, as `languages.parse` does.
    :returns: whether a mail goes out; if not, they wait to confirm already.
    :raises addresses.InvalidAddress: the address is none.
    :raises NoWords: the consent is empty.
    :raises NameTooLong: the name has more than 200 characters.
    :raises countries.UnknownCountry: it is no country that we know.
    :raises languages.InvalidLanguage: it is no language that we know.
    :raises lists.UnknownList: no list has one of the slugs.
    :raises suppression.Complained: they reported our mail as spam.
    :raises OnAllOfThem: there is nothing to confirm.
    """
    parsed = addresses.parse(address)
    words, line = subscribers.one_line(consent), subscribers.one_line(name or "")
    if words is None:
        raise NoWords
    if line is not None and len(line) > MAX_TEXT_LENGTH:
        raise NameTooLong
    tag = languages.parse(language)
    sign_up = SignUp(
        address=parsed,
        name=line,
        country=countries.parse(country) if country else None,
        union_id=None,
        language=tag,
        list_ids=tuple(lists.get(session, slug).id for slug in dict.fromkeys(list_slugs)),
        alerts_text=words,
        union_text=None,
        shown_in=tag,
        asked_at=utcnow(),
        method=METHOD,
    )
    suppression.lock_shared(session)
    if suppression.reason(session, keyring_of(session).blind_index(parsed.folded)) is SuppressionReason.COMPLAINED:
        raise suppression.Complained
    if person := subscribers.find(session, address):
        is_on = {each.slug for each in preferences.see(session, person.id).memberships if each.is_on}
        if is_on.issuperset(list_slugs):
            raise OnAllOfThem(lists=", ".join(dict.fromkeys(list_slugs)))
    return signups.ask(session, sign_up) is None
