"""What a provider's word is worth: evidence, never a verdict. The words of the server that refused a mail count; its
"hard" decides only where there are none."""

from dataclasses import replace

from mailer.mail.feedback.meanings import judge, status_in
from mailer.mail.feedback.types import Category, Effect, Feedback, Kind, Meaning

_SAYS_NOTHING = "nothing says why"  # as `judge` calls it
#: types of feedback reports (RFC 5965, RFC 6591, RFC 6430) of which nobody complained
_NO_COMPLAINTS = {"auth-failure": Kind.REPORT, "not-spam": Kind.OTHER}


def hard(words: str, *, status: str = "", code: int | None = None) -> Meaning:
    """What a refusal means that the provider takes for final.

    :param words: of the server that refused it.
    :param status: what stands beside them: an enhanced status code, perhaps with a comment, or anything.
    :param code: of the reply, likewise.
    """
    meaning = refusal(words, status=status, code=code)
    if words.strip() and meaning.rule != _SAYS_NOTHING:
        return meaning
    if meaning.category is not Category.UNDETERMINED:
        return meaning
    return Meaning(Category.NO_MAILBOX, meaning.status, "the provider's word, and no server's")


def soft(
    words: str, *, status: str = "", code: int | None = None, otherwise: Category = Category.UNDETERMINED
) -> Meaning:
    """What a refusal means that the provider does not take for final: the address is never gone by that.

    :param status: as for `hard`.
    :param otherwise: what it means if no words tell.
    """
    meaning = refusal(words, status=status, code=code)
    if meaning.category.permanent:
        return replace(meaning, category=Category.UNDETERMINED, rule=f"not final, says the provider: {meaning.rule}")
    if meaning.category in (Category.UNDETERMINED, Category.TEMPORARY) and not meaning.rule.startswith("words"):
        return replace(meaning, category=otherwise, rule=f"the provider's word; {meaning.rule}")
    return meaning


def refusal(words: str, *, status: str = "", code: int | None = None) -> Meaning:
    """What a refusal means by evidence alone, as in a report that came by mail: of a status its code counts, and its
    comment is a notice.

    :param status: as for `hard`. A code that no server refuses with is the provider's own, and does not count.
    """
    code = code if code is not None and 400 <= code < 600 else None
    return judge(words, status=status_in(status), code=code, notice=status)


def bounce(meaning: Meaning, provider_says: str, *, acts: bool = True) -> Feedback:
    """A mail that came back.

    :param provider_says: what the provider calls it.
    :param acts: False where the provider did not even try, because its own list says no: that is only recorded.
    """
    effect = meaning.category.effect if acts else Effect.NONE
    return Feedback(Kind.BOUNCE, f"{provider_says}; {meaning.rule}", effect, meaning)


def not_tried(provider_says: str) -> Feedback:
    """A mail that the provider did not send, because a list of its own says no. It says nothing of the address now."""
    return bounce(Meaning(Category.UNDETERMINED, None, "the provider's own list"), provider_says, acts=False)


def delayed(provider_says: str, words: str = "", *, status: str = "") -> Feedback:
    """A mail that the provider goes on trying to deliver."""
    meaning = refusal(words, status=status) if words or status else None
    return Feedback(Kind.DELAYED, provider_says, meaning=meaning)


def complaint(provider_says: str, *, type_: str = "") -> Feedback:
    """Somebody called a mail spam, unless the type of the report says otherwise.

    :param type_: as in a feedback report, where the provider passes it on.
    """
    says = f"{provider_says} {type_}".rstrip()
    no_complaint = _NO_COMPLAINTS.get(type_.lower())
    return Feedback(no_complaint, says) if no_complaint else Feedback(Kind.COMPLAINT, says, Effect.SUPPRESS)


def wish_to_leave(provider_says: str) -> Feedback:
    """Somebody left by the provider's own means: it will deliver nothing more to them, from whatever list."""
    return Feedback(Kind.UNSUBSCRIBE, provider_says, Effect.LEAVE, leaves_all=True)
