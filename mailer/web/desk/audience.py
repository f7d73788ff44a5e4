"""Audience: the page on which somebody chooses whom a draft is for, and sees how many that are while they do."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from flask import Response, make_response, redirect, render_template, request
from sqlalchemy.orm import Session

from mailer.campaigns import choosing, saved_audiences, segments
from mailer.campaigns.choosing import Said
from mailer.campaigns.lifecycle import NoDraft
from mailer.errors import MailerError
from mailer.organisers import writing
from mailer.organisers.writing import AskedMeanwhile
from mailer.people import lists
from mailer.store.models import Campaign, CampaignStatus, MailingList
from mailer.web.desk import audience_choices, audience_sizes, audience_words, choices, contents, named, refusing
from mailer.web.desk import saved_audiences as keepsakes
from mailer.web.desk.approving import sender
from mailer.web.desk.audience_choices import Field
from mailer.web.desk.visit import record, typed, visit
from mailer.web.language import _, url
from mailer.web.site import site

#: between what is chosen of one key, in the address of a page
_BETWEEN = "|"
#: between a key and what is chosen of it, in the name of a box that is ticked
_OF = ":"


@dataclass(frozen=True, slots=True)
class _Choice:
    """What somebody has chosen, as they said it."""

    list_slug: str
    said: Said
    seen: str  # the mark of what was saved when they began


def see(slug: str) -> Response:
    """Whom a draft is for, with all that can be chosen; or what somebody has chosen, and has not saved."""
    return _page(slug, _of_query() or _kept())


def count(slug: str) -> Response:
    """Show how many people are meant, and save nothing."""
    choice = _of_form(request.form)
    return make_response(redirect(_address(slug, choice), 303))


def size(slug: str) -> Response:
    """How many people are meant: a part of the page that its script asks for."""
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        choice = _of_query() or _saved(campaign)
        mailing_list = _list(session, campaign, choice)
        segment, wrong = choosing.read(session, slug, mailing_list.id, choice.said)
        shown = audience_sizes.look(session, campaign, mailing_list.id, segment)
        problems = audience_words.of(wrong)
        return make_response(render_template("desk/audience/size.html", size=shown, problems=problems, is_part=True))


def save(slug: str) -> Response:
    """Have a draft be for whom somebody has chosen, unless somebody else has chosen others meanwhile."""
    choice = _of_form(request.form)
    try:
        with site().session() as session:
            campaign = named.campaign(session, slug)
            mailing_list = lists.get(session, choice.list_slug)
            seen = request.form.get("standing", "")[:40]
            if writing.choose(
                session, campaign, mailing_list, choice.said, mark=choice.seen, seen=seen, sender=sender()
            ):
                record(session, "campaigns.audience", slug)
    except (choosing.WrongAudience, lists.UnknownList, lists.ListGone):
        return _page(slug, choice, status=422)
    except (choosing.ChangedMeanwhile, NoDraft):
        return _page(slug, choice, status=409)
    except AskedMeanwhile as refused:
        return _page(slug, choice, status=409, problems={"form": refusing.advice(refused)})
    return make_response(redirect(url("desk.audience.see", slug=slug, saved=1), 303))


def keep(slug: str) -> Response:
    """Save what is chosen under a name, to be chosen again for another draft; this one stays as it is."""
    choice = _of_form(request.form)
    try:
        with site().session() as session:
            campaign = named.campaign(session, slug)
            mailing_list = _list(session, campaign, choice)
            segment, wrong = choosing.read(session, slug, mailing_list.id, choice.said)
            if wrong:
                raise choosing.WrongAudience(wrong)
            kept = saved_audiences.save(session, mailing_list.owner_id, typed("name"), segment)
            record(session, "audiences.save", kept.id, kind="audience")
    except choosing.WrongAudience:
        return _page(slug, choice, status=422)
    except MailerError as problem:
        return _page(slug, choice, status=422, problems={"name": keepsakes.why(problem)})
    return make_response(redirect(_address(slug, choice, kept=1), 303))


# --- what was chosen ------------------------------------------------------------------------------------------------


def _saved(campaign: Campaign) -> _Choice:
    return _Choice(campaign.mailing_list.slug, campaign.audience, choosing.mark(campaign))


def _kept() -> _Choice | None:
    """What somebody had chosen when something came between."""
    kept = visit().kept
    return _of_form(kept.fields) if kept is not None and kept.page == request.path else None


def _of_form(fields: Mapping[str, str]) -> _Choice:
    """What a form says: boxes that are ticked, and what was typed beside them."""
    said: dict[str, list[str]] = {key: [] for key in segments.KEYS}
    for name in fields:
        key, is_box, text = name.partition(_OF)
        if is_box and key in said:
            said[key].append(text)
    for key in segments.KEYS:
        said[key].append(fields.get(key, ""))
    return _choice(fields, said)


def _of_query() -> _Choice | None:
    """What an address says that `_address` made, or a script that does the same; None where it says nothing."""
    if "list" not in request.args:
        return None
    return _choice(request.args, {key: request.args.get(key, "").split(_BETWEEN) for key in segments.KEYS})


def _choice(fields: Mapping[str, str], said: Mapping[str, Iterable[str]]) -> _Choice:
    texts = {key: list(dict.fromkeys(" ".join(text.split()) for text in some)) for key, some in said.items()}
    return _Choice(
        list_slug=fields.get("list", ""),
        said={key: [text for text in some if text] for key, some in texts.items() if any(some)},
        seen=fields.get("seen", "")[:40],
    )


def _address(slug: str, choice: _Choice, **more: object) -> str:
    said = {key: _BETWEEN.join(texts) for key, texts in choice.said.items()}
    return url("desk.audience.see", slug=slug, list=choice.list_slug, seen=choice.seen, **said, **more)


def _list(session: Session, campaign: Campaign, choice: _Choice) -> MailingList:
    return lists.find(session, choice.list_slug) or campaign.mailing_list


# --- the page -------------------------------------------------------------------------------------------------------


def _page(
    slug: str, choice: _Choice | None, *, status: int = 200, problems: Mapping[str, str] = MappingProxyType({})
) -> Response:
    """The page, with what was chosen; with what is saved, where nothing was.

    :param status: 200 for who only looks; else they wanted to save, and it was not.
    :param problems: why it was not, beside what the choice itself says.
    """
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        saved = _saved(campaign)
        chosen = choice or saved
        mailing_list = _list(session, campaign, chosen)
        segment, wrong = choosing.read(session, slug, mailing_list.id, chosen.said)
        problems = {**audience_words.of(wrong), **problems}
        if choice is not None and mailing_list.slug != chosen.list_slug:
            problems["list"] = _("There is no such list any more. Choose another one.")
        is_draft = campaign.status is CampaignStatus.DRAFT
        has_changed = choice is not None and choice.seen != saved.seen
        fields = audience_choices.fields(session, segment, wrong)
        page = render_template(
            "desk/audience/see.html",
            campaign=campaign,
            name=named.name_of(campaign),
            is_draft=is_draft,
            has_changed=has_changed,
            is_refused=status != 200,
            is_saved=segment.to_json() == campaign.audience and mailing_list.id == campaign.list_id and not wrong,
            now=contents.of_audience(campaign.audience),
            now_on=campaign.mailing_list.name,
            wanted=contents.of_audience(segment.to_json()),
            parts=_parts(fields),
            known=audience_choices.known(session, campaign, mailing_list),
            lists=choices.every_list(session),
            mailing_list=mailing_list,
            seen=saved.seen,
            standing=writing.standing(session, campaign, sender()),
            saved=_saved_ones(session, slug, mailing_list, saved.seen),
            size=audience_sizes.look(session, campaign, mailing_list.id, segment),
            problems=problems,
        )
    return make_response(page, status)


def _saved_ones(session: Session, slug: str, mailing_list: MailingList, seen: str) -> Sequence[tuple[str, str]]:
    """Name of each saved audience that may be chosen, and the address at which it is."""
    return [
        (each.name, _address(slug, _Choice(mailing_list.slug, each.audience, seen)))
        for each in saved_audiences.all_of(session, mailing_list.owner_id)
    ]


def _parts(fields: Mapping[str, Field]) -> Sequence[tuple[str, Sequence[Field]]]:
    """What can be chosen, by what it is about: the heading of each, and its fields."""
    headings = {
        _("Countries"): ("countries", "exclude_countries"),
        _("Unions"): ("unions", "exclude_unions"),
        _("Languages"): ("languages", "exclude_languages"),
        _("Other lists"): ("lists", "exclude_lists"),
        _("Who got another campaign"): segments.GOT_KEYS,
        _("Who acted on another campaign"): segments.ACTED_KEYS,
    }
    return [(heading, [fields[key] for key in keys]) for heading, keys in headings.items()]
