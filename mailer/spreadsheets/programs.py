"""What columns of other programs' exports say of whether somebody wants mail: program, column, value → meaning."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Standing(enum.StrEnum):
    """What a file says of a person."""

    WANTS = "wants"  # mail
    LEFT = "left"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    OUTSIDE = "outside"  # never confirmed, only bought something, was switched off by an organiser, or died


WANTS, LEFT, BOUNCED, COMPLAINED, OUTSIDE = Standing


@dataclass(frozen=True, slots=True)
class Known:
    """A column of a program's export."""

    program: str
    column: str
    source: str
    values: Mapping[str, Standing] = field(default_factory=dict)  # case, spaces and hyphens make no difference
    filled: Standing | None = None  # what anything else says; None where it is not understood


_YES = ("yes", "true", "1", "y", "t", "on", "x", "oui", "ja", "sì", "sí", "ναι", "да", "иә", "evet", "نعم")
_NO = ("no", "false", "0", "n", "f", "off", "non", "nein", "όχι", "нет", "жоқ", "hayır", "لا")
#: what stands for nothing where a date or a reason may stand
_NOTHING = ("", "null", "none", "nil", "never", "0000-00-00", "0000-00-00 00:00:00")


def _yes_means(yes: Standing, no: Standing, **others: Standing) -> dict[str, Standing]:
    return {**dict.fromkeys(_YES, yes), **dict.fromkeys(_NO, no), **others}


_WANTED = _yes_means(WANTS, LEFT)
_UNWANTED = _yes_means(LEFT, WANTS) | dict.fromkeys(_NOTHING, WANTS)
_UNDELIVERABLE = _yes_means(BOUNCED, WANTS) | dict.fromkeys(_NOTHING, WANTS)
_REPORTED = _yes_means(COMPLAINED, WANTS) | dict.fromkeys(_NOTHING, WANTS)
_EMPTY = dict.fromkeys((*_NOTHING, *_NO), WANTS)

_LISTMONK = "knadh/listmonk: cmd/subscribers.go (export), schema.sql (subscriber_status, subscription_status)"
_GHOST = "TryGhost/Ghost: the columns of a members export; issue 16268"
_MAILCHIMP = "Mailchimp: headers of subscribed, unsubscribed and cleaned_members_export; API, lists/members, status"
_ACTION_NETWORK = "Action Network: columns of a report's CSV; API v2, people, email_addresses[].status"
_CIVICRM = "civicrm/civicrm-core: schema/Contact/Contact.entityType.php"
_CIVICRM_EMAIL = "civicrm/civicrm-core: CRM/Core/PseudoConstant.php, emailOnHoldOptions"
_CIVICRM_GROUP = "civicrm/civicrm-core: CRM/Core/SelectValues.php, groupContactStatus"
_RASA = "help.rasa.io: What do the fields in my contacts export represent?"
_MAILUP = "help.mailup.com: export of unsubscribed recipients"
_USUAL = "usual in exports, under this name and with these words"

_STATUS = {
    **dict.fromkeys(("subscribed", "active", "confirmed", "opted in", "opt-in", "enabled"), WANTS),
    **dict.fromkeys(("unsubscribed", "opted out", "opt-out", "blocklisted", "blacklisted", "removed", "left"), LEFT),
    **dict.fromkeys(("suppressed", "do not email", "do not contact", "cancelled", "canceled"), LEFT),
    **dict.fromkeys(("bounced", "bounce", "bouncing", "hard bounce", "hard bounced", "cleaned"), BOUNCED),
    **dict.fromkeys(("complained", "complaint", "spam", "spam complaint", "marked as spam", "junk"), COMPLAINED),
    **dict.fromkeys(("unconfirmed", "pending", "not confirmed", "not subscribed", "never subscribed"), OUTSIDE),
    **dict.fromkeys(("disabled", "archived", "non-subscribed", "transactional"), OUTSIDE),
}

KNOWN = (
    Known("listmonk", "status", _LISTMONK, {"enabled": WANTS, "disabled": OUTSIDE, "blocklisted": LEFT}),
    Known(
        *("listmonk", "subscription_status", _LISTMONK),
        {"confirmed": WANTS, "unconfirmed": OUTSIDE, "unsubscribed": LEFT},
    ),
    Known("Ghost", "subscribed_to_emails", _GHOST, _WANTED),
    Known("Ghost", "deleted_at", _GHOST, _EMPTY, LEFT),
    Known("Mailchimp", "UNSUB_TIME", _MAILCHIMP, _EMPTY, LEFT),
    Known("Mailchimp", "UNSUB_CAMPAIGN_TITLE", _MAILCHIMP, _EMPTY, LEFT),
    Known("Mailchimp", "UNSUB_CAMPAIGN_ID", _MAILCHIMP, _EMPTY, LEFT),
    Known("Mailchimp", "UNSUB_REASON", _MAILCHIMP, _EMPTY, LEFT),
    Known("Mailchimp", "UNSUB_REASON_OTHER", _MAILCHIMP, _EMPTY, LEFT),
    Known("Mailchimp", "CLEAN_TIME", _MAILCHIMP, _EMPTY, BOUNCED),
    Known("Mailchimp", "CLEAN_CAMPAIGN_TITLE", _MAILCHIMP, _EMPTY, BOUNCED),
    Known("Mailchimp", "CLEAN_CAMPAIGN_ID", _MAILCHIMP, _EMPTY, BOUNCED),
    Known(
        *("Mailchimp", "status", _MAILCHIMP),
        {
            "subscribed": WANTS,
            "unsubscribed": LEFT,
            "cleaned": BOUNCED,
            "pending": OUTSIDE,
            "transactional": OUTSIDE,
            "archived": OUTSIDE,
        },
    ),
    Known(
        *("Action Network", "can2_subscription_status", _ACTION_NETWORK),
        {
            "subscribed": WANTS,
            "unsubscribed": LEFT,
            "bouncing": BOUNCED,
            "previous bounce": BOUNCED,
            "spam complaint": COMPLAINED,
            "previous spam complaint": COMPLAINED,
        },
    ),
    Known("CiviCRM", "Do Not Email", _CIVICRM, _UNWANTED),
    Known("CiviCRM", "No Bulk Emails (User Opt Out)", _CIVICRM, _UNWANTED),
    Known("CiviCRM", "Is Opt Out", _CIVICRM, _UNWANTED),
    Known("CiviCRM", "Deceased", _CIVICRM, _yes_means(OUTSIDE, WANTS, **{"": WANTS})),
    Known("CiviCRM", "Is Deceased", _CIVICRM, _yes_means(OUTSIDE, WANTS, **{"": WANTS})),
    Known(
        *("CiviCRM", "On Hold", _CIVICRM_EMAIL),
        {**_UNDELIVERABLE, "on hold bounce": BOUNCED, "2": LEFT, "on hold opt out": LEFT},
    ),
    Known("CiviCRM", "Group Status", _CIVICRM_GROUP, {"added": WANTS, "removed": LEFT, "pending": OUTSIDE}),
    Known("rasa.io", "Subscribed", _RASA, _WANTED),
    Known("rasa.io", "Unsubscribe Reason", _RASA, _EMPTY, LEFT),
    Known("MailUp", "OptOut_Date", _MAILUP, _EMPTY, LEFT),
    *(
        Known("any", column, _USUAL, _STATUS)
        for column in (
            "status",
            "email status",
            "subscription status",
            "subscriber status",
            "list status",
            "opt-in status",
        )
    ),
    *(
        Known("any", column, _USUAL, _WANTED)
        for column in (
            *("is subscribed", "email subscribed", "opt-in", "opted in", "email opt-in", "newsletter"),
            *(
                "accepts marketing",
                "accepts email marketing",
                "email marketing consent",
                "active",
                "is active",
                "enabled",
            ),
        )
    ),
    *(
        Known("any", column, _USUAL, _UNWANTED)
        for column in (
            *("unsubscribed", "is unsubscribed", "opted out", "opt-out", "email opt-out", "has opted out of email"),
            *("blocklisted", "blacklisted", "email blocklisted", "email blacklisted", "blocked", "suppressed"),
            *("do not contact", "no email", "unsubscribed from all email", "deleted", "is deleted", "left", "removed"),
            *("inactive", "withdrawn", "dnc"),
        )
    ),
    *(
        Known("any", column, _USUAL, _EMPTY, LEFT)
        for column in (
            *("unsubscribed at", "unsubscribed on", "unsubscribe date", "unsubscription date", "date unsubscribed"),
            *("unsubscribe time", "opt-out date", "opt-out time", "opted out at", "opted out on", "left at", "left on"),
            *("date left", "blocked at", "blocklisted at", "removed at", "removed on", "date removed", "removal date"),
            *("deletion date", "deleted on"),
        )
    ),
    *(Known("any", column, _USUAL, _UNDELIVERABLE) for column in ("bounced", "hard bounced", "cleaned", "invalid")),
    *(Known("any", column, _USUAL, _REPORTED) for column in ("complained", "marked as spam", "spam")),
    *(Known("any", column, _USUAL, _EMPTY, BOUNCED) for column in ("bounced at", "bounced on", "bounce date")),
    *(Known("any", column, _USUAL, _EMPTY, COMPLAINED) for column in ("complained at", "complained on")),
)

#: columns by which an export is known that does not say all → what to say of it
INCOMPLETE = {
    # knadh/listmonk, issue 2855
    ("uuid", "attributes", "status"): (
        "listmonk does not say in this export who unsubscribed from a list. Under Lists, open the number of those who "
        "did, export them too, and import that file with: mailer suppressions import FILE --reason left --ignore status"
    ),
}

#: What a column's name has in it that may say who left, in the languages of the site. If nothing here knows the column,
#: whoever imports the file has to say how to take it.
TELLING_NAMES = (
    *("unsub", "opt out", "opted out", "opt in", "opted in", "blocklist", "blacklist", "blocked", "suppress", "bounce"),
    *("complain", "do not email", "do not mail", "do not contact", "no email", "no mail", "no bulk", "cleaned"),
    *("subscribed", "subscription", "abgemeldet", "abmeld", "ausgetragen", "desabonn", "désinscri", "disiscri"),
    *("de baja", "fecha baja", "cancelación", "διαγραφ", "отпис", "жазылудан", "abonelikten", "الغاء", "إلغاء"),
    *("withdraw", "widerruf"),
)
#: what such a name ends with
TELLING_ENDS = ("status", "statut", "статус", "мәртебесі", "durumu")
#: A column with one of these in its name says who does not want mail where a cell says no.
AGREEING_NAMES = (
    *("consent", "permission", "agreed", "wants", "send mail", "mailing", "marketing", "gdpr", "subscriber", "valid"),
    *("abonné", "abonniert", "angemeldet", "inscri", "suscri", "iscritt", "подписан", "подписк", "жазыл", "abone"),
    *("εγγεγραμμ", "مشترك", "اشتراك", "einwilligung", "zugestimmt", "zustimmung", "accord", "consenso"),
    *("συγκατάθεση", "согласие", "келісім", "onay", "izin", "موافقة"),
)
SAYING_NO = _NO
#: A name with one of these is about something else: another way to reach people, or when and how they joined.
OTHER_NAMES = ("sms", "phone", "mobile", "whatsapp", "postal", "payment", "order", "marital", "do not trade")
JOINING_NAMES = ("subscribed", "subscription", "opt in", "opted in")
JOINING_ENDS = ("edat", "edon", "inat", "inon", "date", "time", "ip", "id", "source")

#: A column of any name that has one of these in a cell says who left.
TELLING_VALUES = (
    *("unsubscribed", "opted out", "opt-out", "blocklisted", "blacklisted", "bounced", "hard bounce", "complained"),
    *("spam complaint", "do not email", "do not contact", "abgemeldet", "désabonné", "désabonnée", "désinscrit"),
    *("désinscrite", "disiscritto", "disiscritta", "dado de baja", "dada de baja", "de baja", "отписан", "отписана"),
    *("отписался", "отписалась", "abonelikten çıktı", "ملغى الاشتراك", "διαγράφηκε", "жазылудан бас тартты"),
    *("not subscribed", "nomail", "withdrawn", "baja", "nicht abonniert", "non abonné", "non inscrit", "no suscrito"),
    *("non iscritto", "не подписан", "не подписана", "غير مشترك", "abone değil", "жазылмаған", "μη εγγεγραμμένος"),
    "widerrufen",
)
