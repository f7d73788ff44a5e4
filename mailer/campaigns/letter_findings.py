"""What its author should know of a campaign's letters. None of it keeps the campaign from being sent."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy.orm import Session

from mailer.campaigns import addressees, letters, segments
from mailer.campaigns.letters import Letters, Place
from mailer.campaigns.text_names import TextName
from mailer.cases.findings import Code, Finding, Level
from mailer.cases.targets import Target, Targets
from mailer.locale import languages
from mailer.mail import costly_words
from mailer.store.models import Campaign, TargetRole

#: when more people than this send a letter, whoever gets it should not get the same one each time
_MANY, _FEW = 500, 12


def findings(session: Session, campaign: Campaign, by_country: Mapping[str | None, int]) -> Iterator[Finding]:
    """Warnings.

    :param by_country: where people live who would send letters, None if not known → how many there are.
    """
    if not campaign.ask:
        return
    targets, there = addressees.of(session, campaign), Letters(campaign)
    yield from _missing(campaign, targets, there)
    yield from _unread(campaign, targets, there)
    yield from _few_wordings(campaign, targets, there, by_country)
    yield from _asks_missing(campaign, targets)
    yield from _costly(campaign)


def _warning(code: Code, where: str, what: str, remedy: str) -> Finding:
    return Finding(Level.WARNING, code, where, what, remedy)


def _missing(campaign: Campaign, targets: Targets, there: Letters) -> Iterator[Finding]:
    """Roles without a letter, and targets that get one in a language that they do not read."""
    for role in map(TargetRole, campaign.ask):
        takers = _takers(targets, role)
        if takers and not there.of_role(role):
            what = f"people are asked to write to a target of role {role}, and there is no letter for them to send"
            yield _warning("letter-missing", TextName(campaign.language, role).file, what, "Write it.")
        elif strangers := [target for target in takers if not there.is_in_language_of(target)]:
            get = "gets" if len(strangers) == 1 else "get"
            what = (
                f"{_count(strangers)} of role {role} {get} the letter in {campaign.language}, because there is none in "
                f"a language that they read: {_languages(strangers)}"
            )
            remedy = "Write one in a language that each of them reads."
            yield _warning("letter-missing", f"letter-{role}.*.md", what, remedy)


def _unread(campaign: Campaign, targets: Targets, there: Letters) -> Iterator[Finding]:
    """Letters that no target gets, in a language in which nobody reads the mail."""
    for role in map(TargetRole, campaign.ask):
        letters_to = there.of_role(role)
        takers = _takers(targets, role)
        used = {campaign.language, *(there.place(target).language for target in takers)}
        used |= {languages.nearest(text.language, letters_to, campaign.fallbacks) for text in campaign.texts}
        for language in sorted(letters_to.keys() - used) if takers else ():
            what = f"no target of role {role} gets this letter, and there is no text of the mail in {language}"
            remedy = f"If a target reads {language}, say so in its languages; else take the file away."
            yield _warning("letter-unread", TextName(language, role).file, what, remedy)


def _takers(targets: Targets, role: TargetRole) -> list[Target]:
    """Those of a role who take letters that are copies."""
    return [target for target in targets if target.role is role and not target.own_words]


def _count(targets: Sequence[Target]) -> str:
    return "1 target" if len(targets) == 1 else f"{len(targets)} targets"


def _languages(targets: Sequence[Target]) -> str:
    """What targets read best, and how many of them read that best."""
    best = Counter(target.languages[0] for target in targets)
    return ", ".join(f"{language} ({number})" for language, number in sorted(best.items()))


def _few_wordings(
    campaign: Campaign, targets: Targets, there: Letters, by_country: Mapping[str | None, int]
) -> Iterator[Finding]:
    """Letters of which a target would get the same ones again and again."""
    people: Counter[Place] = Counter()
    roles, home = list(map(TargetRole, campaign.ask)), segments.home_of(campaign)
    for country, number in by_country.items():
        if country in home:  # nobody there is asked to write
            continue
        for place in set(map(there.place, targets.of_roles(roles, country))):
            people[place] += number
    for place, number in sorted(people.items(), key=str):
        if place.language and number > _MANY and (wordings := there.get(place.role, place.language).wordings) < _FEW:
            ways = "1 wording" if wordings == 1 else f"{wordings} wordings"
            what = f"{number:,} people would send this letter, in only {ways}"
            remedy = f"Write more subjects, openings or closings: 4 subjects and 3 openings are {_FEW} wordings."
            yield _warning("wordings-few", TextName(place.language, place.role).file, what, remedy)


def _asks_missing(campaign: Campaign, targets: Targets) -> Iterator[Finding]:
    """Targets that want no copies, where nothing says what to write to them instead."""
    if not any(target.own_words for target in targets):
        return
    what = "targets that want no copies get no letter, and nothing says what people should ask of them"
    if campaign.case is None:
        if campaign.case_id is None:  # else it cannot be seen from here
            remedy = 'Name a case that has asks: case = "SLUG".'
            yield _warning("asks-missing", "campaign.toml, case", what, remedy)
        return
    asks = {language for language, written in campaign.case.asks.items() if written}
    read = [text.language for text in campaign.texts]
    if missing := [language for language in read if not languages.nearest(language, asks, campaign.fallbacks)]:
        remedy = "Write them into case.toml, under [asks], and load the case again."
        in_languages = f" in {', '.join(missing)}" if asks else ""
        yield _warning("asks-missing", f"case {campaign.case.slug}, asks", f"{what}{in_languages}", remedy)


def _costly(campaign: Campaign) -> Iterator[Finding]:
    """Words in letters that spam filters count: mails show these letters."""
    for letter in campaign.letters:
        for part in letters.parts(letter):
            for line, words in enumerate(part.words.split("\n")):
                for warned in costly_words.find_in_line((words,)):
                    yield _warning(warned.code, part.at(line), warned.what, warned.remedy)
