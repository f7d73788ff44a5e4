"""Telephone numbers in a text, as people of its countries write them."""

from collections.abc import Iterable, Iterator

from babel.core import get_global

from mailer.errors import MailerError


class InvalidTelephone(MailerError):
    """ "{text}" is not a telephone number that can be dialled from anywhere: write it with + and the code of its
    country, such as +44 1632 960960."""


def check(text: str) -> str:
    """Give a number back if it can be dialled from anywhere, as it is written.

    :raises InvalidTelephone: it cannot.
    """
    # Here, not above: as in `find`.
    from phonenumbers import NumberParseException, is_possible_number, parse

    try:
        is_one = text.startswith("+") and is_possible_number(parse(text))
    except NumberParseException:
        is_one = False
    if not is_one:
        raise InvalidTelephone(text=text)
    return text


def find(text: str, countries: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Where numbers begin in a text, and each as it is dialled from anywhere (E.164).

    :param countries: whose numbers may stand there as they are dialled at home. In these a number must be one that can
        be given to somebody, or each date and sum would look like one.
    """
    # Here, not above: the library takes a fifth of a second to load, and only a check asks.
    from phonenumbers import Leniency, PhoneNumberFormat, PhoneNumberMatcher, format_number

    ways = [(None, Leniency.POSSIBLE), *((country, Leniency.VALID) for country in sorted(set(countries)))]
    found = {
        (match.start, format_number(match.number, PhoneNumberFormat.E164))
        for region, leniency in ways
        for match in PhoneNumberMatcher(text, region, leniency=leniency)
    }
    yield from sorted(found)


def home_of(language: str) -> str | None:
    """The country in which most speak a language, or the one that its tag names: "BR" of "pt", "PT" of "pt-PT".

    :param language: BCP 47 tag.
    """
    *_, last = language.split("-")
    likely = str(get_global("likely_subtags").get(language.partition("-")[0], "")).rpartition("_")[2]
    country = last if len(last) == 2 and last.isupper() else likely
    return country if len(country) == 2 else None
