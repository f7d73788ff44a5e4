"""Every page and press of the desk, and who may have it. What has no line here does not exist."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint

from mailer.organisers.roles import Permission
from mailer.web.desk import (
    accounts,
    approving,
    audience,
    audit,
    campaigns,
    checking,
    coming,
    drafting,
    ending,
    guard,
    home,
    imports,
    installation,
    inviting,
    keeping,
    lone,
    outlining,
    own,
    petitioning,
    previewing,
    proving,
    reports,
    saved_audiences,
    sending,
    stopping,
    supporters,
    targeting,
    texts,
)
from mailer.web.desk.access import ANYBODY, SIGNED_IN
from mailer.web.desk.keeping import View
from mailer.web.desk.numbers import MOST_ROWS
from mailer.web.desk.room import Room
from mailer.web.desk.visit import PREFIX


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One page, or one press."""

    path: str  # below /desk
    view: View
    may: Permission | str  # who: a permission, SIGNED_IN or ANYBODY
    page: View | None = None  # of a press: the page that has its form, in whose path nothing else is named
    is_weighty: bool = False  # password and code must have been given in the last minutes
    asks_itself: bool = False  # a page does so by a script: it does not keep anybody signed in
    is_glance: bool = False  # so often that whose it is may be two seconds late: see `glances`
    is_urgent: bool = False  # nothing is done before it that could have to wait
    takes_file: bool = False  # a file comes with it, which is large
    gives_back: Callable[[], Any] | None = None  # their words, to somebody who may not have it any more
    room: Room | None = None  # it takes long, and a place in this one

    @property
    def noun(self) -> str:
        """What its view's file is called."""
        return self.view.__module__.rpartition(".")[2]

    @property
    def endpoint(self) -> str:
        """What Flask knows it by."""
        return keeping.endpoint_of(self.view)

    @property
    def method(self) -> str:
        """How it is asked for: what a page has is got, a press is posted."""
        return "POST" if self.page else "GET"


def look(
    path: str,
    view: View,
    may: Permission | str,
    *,
    room: Room | None = None,
    gives_back: Callable[[], Any] | None = None,
) -> Route:
    """A page, which changes nothing.

    :param gives_back: what gives their words back to somebody who may not have it any more.
    """
    return Route(path=path, view=view, may=may, room=room, gives_back=gives_back)


def document(path: str, view: View) -> Route:
    """A preview, which stands in a frame of a page."""
    return Route(path=path, view=view, may=Permission.PREVIEW, asks_itself=True, room=Room.LOOKING)


def glance(path: str, view: View, may: Permission | str) -> Route:
    """A part of a page, which asks for it every two seconds."""
    return Route(path=path, view=view, may=may, asks_itself=True, is_glance=True)


def part(path: str, view: View, may: Permission | str) -> Route:
    """A part of a page, which asks for it when somebody has changed something."""
    return Route(path=path, view=view, may=may, asks_itself=True, room=Room.LOOKING)


def press(
    path: str,
    view: View,
    may: Permission | str,
    *,
    on: View,
    weighty: bool = False,
    urgent: bool = False,
    file: bool = False,
    room: Room | None = None,
    gives_back: Callable[[], Any] | None = None,
) -> Route:
    """A press, which may change something.

    :param on: the page that has its form, which is shown again where something comes between.
    :param weighty: ask for password and code anew, unless they were given in the last minutes.
    :param urgent: let nothing stand in its way.
    :param file: let a file come with it.
    :param gives_back: as for `look`.
    """
    return Route(
        path=path,
        view=view,
        may=may,
        page=on,
        is_weighty=weighty,
        is_urgent=urgent,
        takes_file=file,
        room=room,
        gives_back=gives_back,
    )


_OUTLINE = "/campaigns/<slug>/outline"
_IMPORT = f"/supporters/imports/<int(max={MOST_ROWS}):import_id>"
ROUTES: Sequence[Route] = (
    look("/", home.see, SIGNED_IN),
    look("/campaigns", campaigns.browse, Permission.SEE_TOTALS),
    look("/campaigns/<slug>", campaigns.watch, Permission.SEE_TOTALS),
    glance("/campaigns/<slug>/moving", campaigns.follow, Permission.SEE_TOTALS),
    press("/campaigns/<slug>/pause", campaigns.pause, Permission.PAUSE, on=campaigns.watch, urgent=True),
    press("/campaigns/<slug>/resume", campaigns.resume, Permission.SEND, on=campaigns.watch),
    press("/campaigns/<slug>/cancel", campaigns.cancel, Permission.SEND, on=campaigns.watch),
    press("/campaigns/<slug>/resend", campaigns.resend, Permission.SEND, on=campaigns.watch),
    look("/stop-everything", stopping.see, Permission.PAUSE),
    press("/stop-everything", stopping.pause_everything, Permission.PAUSE, on=stopping.see, urgent=True),
    look("/campaigns/<slug>/stop", ending.see, Permission.STOP),
    *(
        press(f"/campaigns/<slug>/{path}", view, Permission.STOP, on=ending.see, urgent=True)
        for path, view in (
            ("stop", ending.stop),
            ("close", ending.close),
            ("withdraw", ending.withdraw),
            ("stop-case", ending.stop_case),
            ("close-case", ending.close_case),
        )
    ),
    press("/campaigns/<slug>/reopen", ending.reopen, Permission.STOP, on=ending.see),
    press("/campaigns/<slug>/reopen-case", ending.reopen_case, Permission.STOP, on=ending.see),
    look("/new-campaign", drafting.prepare, Permission.WRITE),
    press("/new-campaign", drafting.begin, Permission.WRITE, on=drafting.prepare),
    look("/campaigns/<slug>/copy", drafting.copying, Permission.WRITE),
    press("/campaigns/<slug>/copy", drafting.copy, Permission.WRITE, on=drafting.copying),
    look("/campaigns/<slug>/outline", outlining.see, Permission.WRITE),
    press("/campaigns/<slug>/outline", outlining.save, Permission.WRITE, on=outlining.see),
    look(f"{_OUTLINE}/petition", petitioning.see, Permission.WRITE, gives_back=petitioning.give_back),
    press(
        f"{_OUTLINE}/petition",
        petitioning.save,
        Permission.WRITE,
        on=petitioning.see,
        gives_back=petitioning.give_back,
    ),
    look(f"{_OUTLINE}/targets", targeting.see, Permission.WRITE, gives_back=targeting.give_back),
    *(
        press(f"{_OUTLINE}/targets{path}", view, Permission.WRITE, on=targeting.see, gives_back=targeting.give_back)
        for path, view in (("", targeting.save), ("/rows", targeting.add_rows))
    ),
    look("/campaigns/<slug>/texts", texts.browse, Permission.WRITE),
    press("/campaigns/<slug>/texts", texts.add, Permission.WRITE, on=texts.browse),
    look("/campaigns/<slug>/texts/<text>", texts.write, Permission.WRITE, gives_back=texts.give_back),
    press("/campaigns/<slug>/texts/<text>", texts.save, Permission.WRITE, on=texts.write, gives_back=texts.give_back),
    press("/campaigns/<slug>/texts/<text>/take-out", texts.take_out, Permission.WRITE, on=texts.browse),
    press("/campaigns/<slug>/texts/<text>/compare", texts.compare, Permission.WRITE, on=texts.write),
    look("/campaigns/<slug>/texts/<text>/versions", texts.history, Permission.WRITE),
    press("/campaigns/<slug>/texts/<text>/versions", texts.bring_back, Permission.WRITE, on=texts.history),
    look("/sign-in", coming.come_in, ANYBODY),
    press("/sign-in", coming.enter, ANYBODY, on=coming.come_in, room=Room.SIGNING_IN),
    look("/invitation/<token>", inviting.see, ANYBODY),
    press("/invitation/<token>", inviting.accept, ANYBODY, on=inviting.see, room=Room.SIGNING_IN),
    look("/account", own.see, SIGNED_IN),
    press("/account", own.change, SIGNED_IN, on=own.see),
    look("/account/password", own.choose_password, SIGNED_IN),
    press("/account/password", own.change_password, SIGNED_IN, on=own.choose_password),
    press("/account/second-factor", own.set_up, SIGNED_IN, on=own.see, weighty=True),
    press("/account/recovery-codes", own.make_codes, SIGNED_IN, on=own.see, weighty=True),
    press(f"/account/sessions/<int(max={MOST_ROWS}):session_id>/end", own.end_session, SIGNED_IN, on=own.see),
    press("/account/sessions/end", own.end_others, SIGNED_IN, on=own.see),
    look("/accounts", accounts.see, Permission.MANAGE_ACCOUNTS),
    look("/accounts/invite", accounts.prepare, Permission.MANAGE_ACCOUNTS),
    press("/accounts/invite", accounts.invite, Permission.MANAGE_ACCOUNTS, on=accounts.prepare, weighty=True),
    look(f"/accounts/<int(max={MOST_ROWS}):account_id>", accounts.one, Permission.MANAGE_ACCOUNTS),
    *(
        press(
            f"/accounts/<int(max={MOST_ROWS}):account_id>/{path}",
            view,
            Permission.MANAGE_ACCOUNTS,
            on=accounts.one,
            weighty=True,
        )
        for path, view in (
            ("roles", accounts.change_roles),
            ("link", accounts.renew),
            ("end-sessions", accounts.end_sessions),
            ("disable", accounts.disable),
            ("enable", accounts.enable),
        )
    ),
    look("/prove", proving.ask, SIGNED_IN),
    press("/prove", proving.prove, SIGNED_IN, on=proving.ask),
    look("/campaigns/<slug>/audience", audience.see, Permission.WRITE, room=Room.LOOKING),
    part("/campaigns/<slug>/audience/size", audience.size, Permission.WRITE),
    press("/campaigns/<slug>/audience/count", audience.count, Permission.WRITE, on=audience.see, room=Room.LOOKING),
    press("/campaigns/<slug>/audience", audience.save, Permission.WRITE, on=audience.see, room=Room.LOOKING),
    press("/campaigns/<slug>/audience/keep", audience.keep, Permission.WRITE, on=audience.see, room=Room.LOOKING),
    look("/audiences", saved_audiences.see, Permission.WRITE),
    *(
        press(f"/audiences/<int(max={MOST_ROWS}):audience_id>/{path}", view, Permission.WRITE, on=saved_audiences.see)
        for path, view in (("rename", saved_audiences.rename), ("delete", saved_audiences.delete))
    ),
    look("/campaigns/<slug>/check", checking.see, Permission.SEE_CAMPAIGNS, room=Room.LOOKING),
    press("/campaigns/<slug>/tests", checking.test, Permission.TEST, on=checking.see, room=Room.LOOKING),
    glance("/campaigns/<slug>/tests", checking.tests, Permission.TEST),
    look("/campaigns/<slug>/preview", previewing.mail, Permission.PREVIEW, room=Room.LOOKING),
    document("/campaigns/<slug>/preview/mail", previewing.mail_document),
    look("/campaigns/<slug>/preview/letter", previewing.letter, Permission.PREVIEW, room=Room.LOOKING),
    document("/campaigns/<slug>/preview/letter/page", previewing.letter_document),
    look("/campaigns/<slug>/preview/kit", previewing.kit, Permission.PREVIEW, room=Room.LOOKING),
    document("/campaigns/<slug>/preview/kit/mail", previewing.kit_document),
    document("/campaigns/<slug>/preview/kit/picture", previewing.kit_picture),
    look("/campaigns/<slug>/preview/kit/leaflet", previewing.kit_leaflet, Permission.PREVIEW, room=Room.LOOKING),
    press("/sign-out", coming.leave, SIGNED_IN, on=home.see),
    look("/reports", reports.choose, Permission.SEE_TOTALS),
    look("/campaigns/<slug>/report", reports.show, Permission.SEE_TOTALS, room=Room.LOOKING),
    look("/campaigns/<slug>/report/<kind>.csv", reports.table, Permission.SEE_TOTALS, room=Room.LOOKING),
    look("/installation", installation.see, Permission.MANAGE_ACCOUNTS),
    look("/log", audit.see, Permission.SEE_AUDIT),
    look("/campaigns/<slug>/approval", approving.see, Permission.PREVIEW),
    press("/campaigns/<slug>/approval/ask", approving.ask, Permission.ASK_APPROVAL, on=approving.see),
    press("/campaigns/<slug>/approval/approve", approving.approve, Permission.APPROVE, on=approving.see),
    press("/campaigns/<slug>/approval/send-back", approving.send_back, Permission.APPROVE, on=approving.see),
    press("/campaigns/<slug>/approval/take-back", approving.take_back, Permission.ASK_APPROVAL, on=approving.see),
    look("/campaigns/<slug>/alone", lone.see, Permission.PREVIEW),
    press("/campaigns/<slug>/alone/ask", lone.ask, Permission.SEND, on=lone.see, weighty=True),
    press("/campaigns/<slug>/alone/approve", lone.approve, Permission.SEND, on=lone.see, weighty=True),
    press("/campaigns/<slug>/alone/object", lone.refuse, Permission.APPROVE, on=lone.see),
    look("/campaigns/<slug>/send", sending.see, Permission.SEND),
    press("/campaigns/<slug>/send", sending.send, Permission.SEND, on=sending.see),
    press("/campaigns/<slug>/undo", sending.undo, Permission.SEND, on=sending.see),
    glance("/campaigns/<slug>/waiting", sending.wait, Permission.SEE_CAMPAIGNS),
    look("/supporters", supporters.see, Permission.SUPPORTERS),
    press("/supporters/find", supporters.find, Permission.SUPPORTERS, on=supporters.see),
    press(
        "/supporters/export",
        supporters.export_list,
        Permission.SUPPORTERS,
        on=supporters.see,
        weighty=True,
        room=Room.LOOKING,
    ),
    look("/supporters/imports", imports.see, Permission.SUPPORTERS),
    press(
        "/supporters/imports",
        imports.upload,
        Permission.SUPPORTERS,
        on=imports.see,
        file=True,
        room=Room.UPLOADING,
    ),
    look(_IMPORT, imports.one, Permission.SUPPORTERS),
    glance(f"{_IMPORT}/moving", imports.follow, Permission.SUPPORTERS),
    *(
        press(f"{_IMPORT}/{path}", view, Permission.SUPPORTERS, on=imports.one, weighty=weighty)
        for path, view, weighty in (
            ("terms", imports.ask, False),
            ("confirm", imports.confirm, False),
            ("drop", imports.drop, False),
            ("rejects", imports.rejects, True),
            ("take-back", imports.take_back, True),
        )
    ),
    look("/supporters/<token>", supporters.one, Permission.SUPPORTERS),
    press("/supporters/<token>/details", supporters.change, Permission.SUPPORTERS, on=supporters.one),
    press("/supporters/<token>/leave", supporters.take_off, Permission.SUPPORTERS, on=supporters.one),
    press("/supporters/<token>/add", supporters.add, Permission.SUPPORTERS, on=supporters.one),
    press("/supporters/<token>/export", supporters.export, Permission.SUPPORTERS, on=supporters.one, weighty=True),
    look("/supporters/<token>/erase", supporters.prepare_erasing, Permission.SUPPORTERS),
    press(
        "/supporters/<token>/erase",
        supporters.erase,
        Permission.SUPPORTERS,
        on=supporters.prepare_erasing,
        weighty=True,
    ),
)


def blueprint() -> Blueprint:
    """All of the desk."""
    desk = Blueprint("desk", __name__, url_prefix=PREFIX)
    nouns: dict[str, Blueprint] = {}
    for route in ROUTES:
        noun = nouns.setdefault(route.noun, Blueprint(route.noun, __name__))
        noun.add_url_rule(route.path, route.view.__name__, route.view, methods=[route.method])
    for noun in nouns.values():
        desk.register_blueprint(noun)
    guard.init(desk, _BY_ENDPOINT)
    return desk


_BY_ENDPOINT: Mapping[str, Route] = {route.endpoint: route for route in ROUTES}
