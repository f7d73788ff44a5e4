"""Outlining: to choose what a draft is about, whom people are asked to write to, and until when."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import make_response, redirect, render_template, request

from mailer.campaigns import kinds, outlines, segments
from mailer.campaigns.lifecycle import NoDraft
from mailer.campaigns.outlines import Outline, Wrong
from mailer.cases import cases
from mailer.errors import MailerError
from mailer.locale import countries
from mailer.organisers import writing
from mailer.store.models import Campaign, CampaignStatus, HomeRule, TargetRole
from mailer.web.desk import choices, contents, named, numbers, refusing, terms, times
from mailer.web.desk.approving import sender
from mailer.web.desk.visit import typed, visit
from mailer.web.language import _, current, url
from mailer.web.site import site

_LONGEST_MARK = 40


def see(slug: str) -> Any:
    """What a draft is about, to be changed."""
    return _page(slug)


def save(slug: str) -> Any:
    """Save what a draft is about, unless somebody else has changed it meanwhile."""
    problems: dict[str, str] = {}
    mark, seen = (request.form.get(key, "")[:_LONGEST_MARK] for key in ("mark", "seen"))
    with site().session(read_only=True) as session:
        new = _read(named.campaign(session, slug), problems)
    if problems:
        return _page(slug, problems)
    try:
        with site().session() as session:
            campaign = named.campaign(session, slug)
            writing.outline(session, campaign, new, mark=mark, seen=seen, sender=sender(), who=visit().who)
    except outlines.WrongOutline as refused:
        return _page(slug, {each.field: _advice(each) for each in reversed(refused.wrong)})
    except cases.UnknownCase:
        return _page(slug, {"case": _("This case is not there any more. Choose again.")})
    except outlines.ChangedMeanwhile:
        words = _("Somebody else has changed this meanwhile. What you chose is in the form, and not saved yet.")
        return _page(slug, {"form": words}, is_late=True)
    except (NoDraft, writing.AskedMeanwhile) as refused:
        return _page(slug, {"form": refusing.advice(refused)}, is_late=True)
    return redirect(url("desk.outlining.see", slug=slug, saved=1), 303)


# --- what a form says -----------------------------------------------------------------------------------------------


def _read(campaign: Campaign, problems: dict[str, str]) -> Outline:
    form = request.form
    kind = form.get("kind", campaign.kind)
    roles = [form.get(f"ask-{number}", "") for number in range(1, len(TargetRole) + 1)]
    return Outline(
        kind=kind if kind in kinds.KINDS else campaign.kind,
        case=form.get("case") or None,
        about=form.get("about") or None,
        home=_rule("home"),
        unknown_home=_rule("unknown_home"),
        ask=tuple(role for role in roles if role in set(TargetRole)),
        deadline=_time("deadline", campaign.deadline, problems),
        latest_start=_time("latest_start", campaign.latest_start, problems),
        goal=_goal(problems),
        public="public" in form,
        forwardable="forwardable" in form,
    )


def _rule(name: str) -> HomeRule | None:
    said = request.form.get(name, "")
    return HomeRule(said) if said in set(HomeRule) else None


def _time(name: str, now: datetime | None, problems: dict[str, str]) -> datetime | None:
    said = request.form.get(name, "")
    if not said:
        return None
    if now is not None and said == times.field(now, visit().zone):
        return now  # with its seconds, which the field has not
    try:
        return times.read(said, visit().zone)
    except times.NoSuchTime:
        problems[name] = _("There is no such time on that day, because the clocks are put forward. Choose another one.")
    except ValueError:
        problems[name] = _("Choose a day and a time.")
    return None


def _goal(problems: dict[str, str]) -> int | None:
    said = request.form.get("goal", "").strip()
    goal = numbers.read(said) if said else None
    if said and goal is None:
        problems["goal"] = _("Write a whole number from {least} on, or nothing.", least=10)
    return goal


def _advice(wrong: Wrong) -> str:
    why: MailerError = wrong.why
    if isinstance(why, outlines.AboutOther):
        return _("The case is about another country. Leave it to the case, or choose the same.")
    if isinstance(why, outlines.NeedsCase):
        return _("A prisoner is written to in one case: choose it, or ask for no prisoner.")
    if isinstance(why, outlines.LetterLeft):
        role = contents.role_name(str(why.fields["role"]))
        return _(
            "There is a letter to a role that you left out: {role}. Ask for it, too, or take the letter out.", role=role
        )
    if isinstance(why, outlines.GoalOutOfRange):
        return _("Write a whole number from {least} on, or nothing.", least=why.fields["least"])
    if isinstance(why, outlines.KindHasNone):
        called = {"petition": _("Petition"), "targets": _("Targets of its own"), "letters": _("Letters")}
        what = ", ".join(called.get(each, each) for each in why.parts)
        return _("A campaign of this kind cannot have what is written of it: {what}. Take that out first.", what=what)
    return str(why)


# --- the page -------------------------------------------------------------------------------------------------------


def _page(slug: str, problems: Mapping[str, str] | None = None, *, is_late: bool = False) -> Any:
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        now = Outline.of(campaign)
        zone = visit().zone
        page = render_template(
            "desk/outlining/see.html",
            campaign=campaign,
            name=named.name_of(campaign),
            is_draft=campaign.status is CampaignStatus.DRAFT,
            now=now,
            seen=writing.standing(session, campaign, sender()),
            is_late=is_late,
            is_typed=request.method == "POST" or bool(typed("mark")),
            keys=kinds.of(campaign).keys,
            kinds=[(each, terms.kind(each)) for each in kinds.KINDS],
            cases=[("", _("None")), *choices.every_case(session)],
            about=_about(),
            rules=[("", _("Not decided")), *((rule.value, contents.home_rule(rule)) for rule in HomeRule)],
            roles=[("", "–"), *((role.value, contents.role_name(role)) for role in TargetRole)],
            deadline=times.field(now.deadline, zone) if now.deadline else "",
            latest_start=times.field(now.latest_start, zone) if now.latest_start else "",
            zone=times.zone_to_type_in(),
            saved=_in_words(now) if is_late else [],
            problems=problems or {},
        )
    return make_response(page, 409 if is_late else 422 if problems else 200)


def _about() -> Sequence[tuple[str, str]]:
    return [
        ("", _("As the case says")),
        (segments.NO_COUNTRY, _("No country")),
        *countries.all_in(current()),
    ]


def _in_words(now: Outline) -> list[tuple[str, str]]:
    """What is saved, for somebody who has chosen something else."""
    about = now.about or ""
    return [
        (_("Kind"), terms.kind(now.kind)),
        (_("Case"), now.case or _("None")),
        (_("Addresses the authorities of"), dict(_about()).get(about, about)),
        (_("People who live there"), contents.home_rule(now.home)),
        (_("People whose country is not known"), contents.home_rule(now.unknown_home)),
        (_("Whom people write to"), ", ".join(map(contents.role_name, now.ask)) or _("None")),
        (_("Deadline"), times.in_words(now.deadline) if now.deadline else "–"),
        (_("Starts by itself until"), times.in_words(now.latest_start) if now.latest_start else "–"),
        (_("Everybody can read it on the site"), _("yes") if now.public else _("no")),
        (_("Unions get it to forward"), _("yes") if now.forwardable else _("no")),
    ]
