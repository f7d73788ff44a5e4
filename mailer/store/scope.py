"""Scope: a session that sees nothing but what belongs to one union, whatever is asked of it.

A union's own are the lists it owns, the subscriptions on these and the people who have one, the campaigns to them and
their deliveries, its kits and contacts, and how many joined through its link. Nothing of its federation is its own,
nothing of its branches, and nothing of a person beyond that: not the other lists they are on, nor another union that
they belong to. System notices are nobody's, and so are applications and what is asked for on the site.

The rules are part of each query: the database hands out no other row. They choose rows, not columns: what shows which
union a person belongs to asks `told_unions` first. A session without a limit sees everything, as organisers do. What
goes past a session, by its connection, is not limited; an import opens sessions of its own, and is for organisers only.

The rules are about rows. Which unions there are is public, and what they told us of themselves stands in the same rows:
the file of unions is refused (`refuse`). The campaign of a kit is an organiser's, not the union's: the pages of a kit
and of its results are read without a limit, each behind its own link.
"""

from collections.abc import Iterator
from typing import cast

from sqlalchemy import Alias, ClauseElement, Column, ColumnElement, FromClause, Table, event, false, or_, select
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.orm.util import LoaderCriteriaOption
from sqlalchemy.sql import visitors
from sqlalchemy.sql.expression import SelectBase, UpdateBase
from sqlalchemy.sql.visitors import ExternallyTraversible

from mailer.errors import MailerError
from mailer.store.models import (
    Act,
    Base,
    Campaign,
    CampaignAlarm,
    CampaignText,
    Claim,
    ConsentEvent,
    ConsentSource,
    ConsentText,
    Delivery,
    Edition,
    JoinCount,
    Kit,
    KitEdition,
    LetterText,
    MailEvent,
    MailEventCount,
    MailingList,
    SavedAudience,
    Signature,
    Subscriber,
    Subscription,
    Suppression,
    TextVersion,
    Union,
    UnionContact,
)

#: what says nothing of anybody
PUBLIC = frozenset({ConsentText})

_KEY = "union_id"  # of what `Session.info` holds
_TABLES = Base.metadata.tables


class UnlimitableStatement(RuntimeError):
    """A statement that names tables in a way to which no limit can be added, in a session that has one."""


class ForOrganisers(MailerError):
    """Only organisers may do this: it concerns what every union has told us about itself."""


def limit(session: Session, union_id: int) -> None:
    """From now on have a session see, change and delete only what belongs to a union.

    To be called before anything is read: what a session holds already it hands out again without asking.

    :raises ValueError: it holds something, or is limited already.
    """
    if of(session) is not None or session.identity_map or session.new:
        raise ValueError("a session is limited once, before anything is read in it")
    session.info[_KEY] = union_id
    options = [
        with_loader_criteria(model, rule, include_aliases=True, propagate_to_loaders=False)
        for model, rule in _rules(union_id).items()
    ]

    @event.listens_for(session, "do_orm_execute")
    def restrict(asked: ORMExecuteState) -> None:
        _restrict(asked, options)


def of(session: Session) -> int | None:
    """The union that a session is limited to, if it is."""
    union_id: int | None = session.info.get(_KEY)
    return union_id


def refuse(session: Session) -> None:
    """Insist that a session has no limit.

    :raises ForOrganisers: it has one.
    """
    if of(session) is not None:
        raise ForOrganisers


def told_unions(session: Session) -> frozenset[int] | None:
    """Of which unions a session may tell that a person belongs to them: the one that it is limited to, and all beneath.

    Another union that they belong to is between them and us: it was stored for choosing what we send them.

    :returns: None where it may tell of all.
    """
    union_id = of(session)
    if union_id is None:
        return None
    within = select(Union.id).where(Union.id == union_id).cte("within", recursive=True)
    # UNION, not UNION ALL: it also ends where rows written by hand form a circle.
    within = within.union(select(Union.id).join(within, Union.parent_id == within.c.id))
    return frozenset(session.scalars(select(within.c.id)))


# --- the rules ------------------------------------------------------------------------------------------------------


def _rules(union_id: int) -> dict[type[Base], ColumnElement[bool]]:
    """Model → which of its rows are a union's own. What has no rule is nobody's."""
    rules: dict[type[Base], ColumnElement[bool]] = {
        mapper.class_: false() for mapper in Base.registry.mappers if mapper.class_ not in PUBLIC
    }
    # Tables, not classes: to these no rule is added in turn.
    lists, subscriptions, campaigns = _TABLES["lists"], _TABLES["subscriptions"], _TABLES["campaigns"]
    events, deliveries = _TABLES["consent_events"], _TABLES["deliveries"]
    subscribers, contacts, kits = _TABLES["subscribers"], _TABLES["union_contacts"], _TABLES["kits"]
    own_lists = select(lists.c.id).where(lists.c.owner_id == union_id)
    own_events = select(events.c.id).where(events.c.list_id.in_(own_lists))
    own_campaigns = select(campaigns.c.id).where(campaigns.c.list_id.in_(own_lists))
    own_deliveries = select(deliveries.c.id).where(deliveries.c.campaign_id.in_(own_campaigns))
    own_acts = select(_TABLES["acts"].c.id).where(_TABLES["acts"].c.campaign_id.in_(own_campaigns))
    own_kits = select(kits.c.id).where(kits.c.union_id == union_id)
    on_its_lists = select(subscriptions.c.subscriber_id).where(subscriptions.c.list_id.in_(own_lists))
    its_contacts = select(contacts.c.subscriber_id).where(contacts.c.union_id == union_id)
    own_people = select(subscribers.c.email_index).where(
        or_(subscribers.c.id.in_(on_its_lists), subscribers.c.id.in_(its_contacts))
    )
    return rules | {
        # Which unions there are is public, save those that asked not to be named.
        Union: or_(Union.is_named, Union.id == union_id),
        UnionContact: UnionContact.union_id == union_id,
        JoinCount: JoinCount.union_id == union_id,
        Kit: Kit.union_id == union_id,
        KitEdition: KitEdition.kit_id.in_(own_kits),
        MailingList: MailingList.owner_id == union_id,
        SavedAudience: SavedAudience.owner_id == union_id,
        Subscription: Subscription.list_id.in_(own_lists),
        Subscriber: or_(Subscriber.id.in_(on_its_lists), Subscriber.id.in_(its_contacts)),
        Suppression: Suppression.email_index.in_(own_people),
        ConsentEvent: ConsentEvent.list_id.in_(own_lists),
        ConsentSource: ConsentSource.event_id.in_(own_events),
        Campaign: Campaign.list_id.in_(own_lists),
        CampaignAlarm: CampaignAlarm.campaign_id.in_(own_campaigns),
        CampaignText: CampaignText.campaign_id.in_(own_campaigns),
        TextVersion: TextVersion.campaign_id.in_(own_campaigns),
        Edition: Edition.campaign_id.in_(own_campaigns),
        LetterText: LetterText.campaign_id.in_(own_campaigns),
        Claim: Claim.campaign_id.in_(own_campaigns),
        Delivery: Delivery.campaign_id.in_(own_campaigns),
        Act: Act.campaign_id.in_(own_campaigns),
        Signature: Signature.act_id.in_(own_acts),
        MailEvent: MailEvent.delivery_id.in_(own_deliveries),
        MailEventCount: MailEventCount.campaign_id.in_(own_campaigns),
    }


# --- adding them to a query -----------------------------------------------------------------------------------------


def _restrict(asked: ORMExecuteState, options: list[LoaderCriteriaOption]) -> None:
    """:raises UnlimitableStatement: nothing is executed."""
    statement = asked.statement
    if asked.is_from_statement or _names_bare_tables(cast(ClauseElement, statement)):
        raise UnlimitableStatement("ask for classes, not for tables or written SQL")
    if isinstance(statement, UpdateBase) and not asked.is_insert:
        if isinstance(asked.parameters, list):
            raise UnlimitableStatement("a change row by row; name the rows in a WHERE instead")
        if {table for _, table in _mentions(statement)} - {statement.table}:
            raise UnlimitableStatement("a change by another table beside; put that into a SELECT of its own")
    asked.statement = statement.options(*options)


def _names_bare_tables(statement: ExternallyTraversible) -> bool:
    """Whether a query, or one in it, names a table or a column that is no class's: to these no rule is added."""
    queries = [part for part in visitors.iterate(statement) if isinstance(part, SelectBase)]
    return any(_bare(query) for query in (statement, *queries))


def _bare(query: ExternallyTraversible) -> set[FromClause]:
    mentions = list(_mentions(query))
    by_class = {table for element, table in mentions if "parententity" in element._annotations}
    return {table for _, table in mentions} - by_class


def _mentions(query: ExternallyTraversible) -> Iterator[tuple[ClauseElement, FromClause]]:
    """The tables and aliases that a query names, and the columns of these, each with what it is one of."""
    for element in _parts(query):
        if isinstance(element, Table | Alias):
            yield element, element
        elif isinstance(element, Column) and isinstance(element.table, Table | Alias):
            yield element, element.table


def _parts(query: ExternallyTraversible) -> Iterator[ExternallyTraversible]:
    """All that a query is made of, save the queries in it and what stands behind an alias."""
    # What stands in select_from() by its class is left out of the children where a column stands there without.
    for part in (*query.get_children(), *getattr(query, "_from_obj", ())):
        if not isinstance(part, SelectBase):
            yield part
            if not isinstance(part, Alias):
                yield from _parts(part)
