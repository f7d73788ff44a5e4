"""Telephone numbers in a text, as people of its countries write them."""

from collections.abc import Iterable, Iterator

from babel.core import get_global


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
