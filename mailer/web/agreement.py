"""The exact words beside the boxes that people tick. The consent log keeps them as they were shown."""

from mailer.web.language import _
from mailer.web.site import site


def organisation() -> str:
    """Who asks."""
    return site().settings.organisation or _("E-mail alerts")


def to_what_was_asked_for() -> str:
    """To the mail of the lists that a sign-up names."""
    return _(
        "Yes, {organisation} may send me the mail that I ask for here. I can leave at any time, with one click.",
        organisation=organisation(),
    )


def to_this_list() -> str:
    """To the mail of one more list."""
    return _(
        "Yes, {organisation} may send me the mail of this list. I can leave at any time, with one click.",
        organisation=organisation(),
    )


def to_store_the_union() -> str:
    """To our storing which union somebody belongs to (GDPR Art. 9(2)(a))."""
    return _(
        "Yes, {organisation} may store which union I belong to, to send me what concerns it. I can take this back at "
        "any time.",
        organisation=organisation(),
    )


def to_be_a_contact() -> str:
    """To our writing to somebody on their union's behalf."""
    return _(
        "Yes, {organisation} may write to me about our union: about this request, and with the kits that our union "
        "gets. I can stop this at any time.",
        organisation=organisation(),
    )


def to_keep_that_i_acted() -> str:
    """To our keeping that somebody acted on a campaign, which tells what they think (GDPR Art. 9(2)(a))."""
    return _(
        "Yes, I have written, and {organisation} may keep that, to count it and to tell me how it ended. It says "
        "something about my political opinion. I can take this back at any time.",
        organisation=organisation(),
    )


def to_keep_that_i_signed() -> str:
    """To our keeping that somebody signed, which tells what they think (GDPR Art. 9(2)(a))."""
    return _(
        "I sign, and {organisation} may keep that, to count it and to tell me how it ended. It says something about my "
        "political opinion. I can take this back at any time.",
        organisation=organisation(),
    )


def to_show_my_name() -> str:
    """To our showing somebody's name below what they signed."""
    return _("Show my name, and my town or what I do, on this site, where everybody can read it.")


def to_hand_my_name_over(addressee: str) -> str:
    """To our handing somebody's name over with what they signed.

    :param addressee: who gets it.
    """
    return _("Hand my name, and my town or what I do, over with the petition, to: {addressee}", addressee=addressee)
