"""What is said of an audience that names something that there is none of, at the field where it was typed."""

from collections.abc import Callable, Iterable, Mapping

from mailer.campaigns import choosing, lifecycle, segments
from mailer.campaigns.choosing import Wrong
from mailer.errors import MailerError
from mailer.locale import countries, country_groups, languages
from mailer.people import lists
from mailer.unions import directory
from mailer.web.language import _

_WORDS: Mapping[type[MailerError], Callable[[Wrong], str]] = {
    countries.UnknownCountry: lambda wrong: _(
        "There is no country “{text}”. Choose one from the list, or type its name or its code.", text=wrong.text
    ),
    country_groups.UnknownCountryGroup: lambda wrong: _(
        "There is no group of countries “{text}”. These are known: {known}.",
        text=wrong.text,
        known=", ".join(f"@{group}" for group in country_groups.GROUPS),
    ),
    languages.InvalidLanguage: lambda wrong: _(
        "There is no language “{text}”. Choose one from the list, or type its tag, such as fr or pt-BR.",
        text=wrong.text,
    ),
    directory.UnknownUnion: lambda wrong: _(
        "There is no union “{text}” any more, or none yet. Choose one from the list, or take it out.", text=wrong.text
    ),
    directory.SeveralUnions: lambda wrong: _(
        "Several unions are called “{text}”. Type one of their short names: {slugs}.",
        text=wrong.text,
        slugs=wrong.why.fields["slugs"],
    ),
    lists.UnknownList: lambda wrong: _(
        "There is no list “{text}” any more, or none yet. Choose one from the list, or take it out.", text=wrong.text
    ),
    lists.SeveralLists: lambda wrong: _(
        "Several lists are called “{text}”. Type one of their short names: {slugs}.",
        text=wrong.text,
        slugs=wrong.why.fields["slugs"],
    ),
    segments.ForeignList: lambda wrong: _(
        "The list “{text}” belongs to a union, and only that union may use it. Take it out.", text=wrong.text
    ),
    lifecycle.UnknownCampaign: lambda wrong: _(
        "There is no campaign “{text}” any more, or none yet. Choose one from the list, or take it out.",
        text=wrong.text,
    ),
    segments.ForeignCampaign: lambda wrong: _(
        "Campaign “{text}” went to a list of somebody else, and only they may know who got it, or acted on it. "
        "Take it out.",
        text=wrong.text,
    ),
    choosing.OwnCampaign: lambda wrong: _(
        "“{text}” is this campaign itself, which nobody has before it goes out. Take it out.", text=wrong.text
    ),
}


def of(wrong: Iterable[Wrong]) -> Mapping[str, str]:
    """Key → what is wrong with what was said of it, and what to do."""
    said: dict[str, list[str]] = {}
    for each in wrong:
        words = _WORDS[type(each.why)](each) if type(each.why) in _WORDS else str(each.why)
        said.setdefault(each.key, []).append(words)
    return {key: " ".join(words) for key, words in said.items()}
