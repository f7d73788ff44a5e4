"""The domains of our addresses in the DNS: whether mail comes back to them, and who may send in their name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from ipaddress import IPv4Address, IPv6Address
from typing import ParamSpec

from mailer.mail import dkim_records, dmarc, sender_policy
from mailer.mail.dkim import Signer
from mailer.mail.dkim_records import Published
from mailer.mail.lookups import Kind, Lookup, LookupFailed
from mailer.operations.doctor.findings import Code, Finding, Level
from mailer.operations.doctor.outgoing import Outgoing
from mailer.operations.doctor.rounds import Seen

P = ParamSpec("P")

#: RFC 2606, 6761: no mail goes to or comes from these
_RESERVED = ("example.org", "example.net", "example.com", "example", "test", "invalid", "localhost", "local")


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """The domains of our addresses."""

    author: str  # of From
    envelope: str  # of the envelope sender
    inbound: Mapping[str, Sequence[str]]  # domain → the settings whose address is in it


def is_reserved(domain: str) -> bool:
    """Whether a domain is for examples and tests only."""
    return any(f".{domain}".endswith(f".{each}") for each in _RESERVED)


def look_at_reserved(domain: str, settings: Sequence[str]) -> Seen:
    """What to say of such a domain."""
    what = f"{domain} is a domain for examples, which receives no mail and may not send any"
    remedy = f"Before you write to real people, put a domain of yours into {' and '.join(settings)}."
    return _only(Level.WARNING, "domain-reserved", settings[0], what, remedy)


def _says_what_is_unknown(look: Callable[P, Seen]) -> Callable[P, Seen]:
    """Turn a question that nobody answered into a finding of its own."""

    @wraps(look)
    def looked(*arguments: P.args, **options: P.kwargs) -> Seen:
        try:
            return look(*arguments, **options)
        except LookupFailed as problem:
            remedy = (
                "Try again in a minute. If it stays so, see that the resolvers in /etc/resolv.conf answer "
                "(`dig example.org`), and that the name servers of the domain do."
            )
            return Seen(findings=(Finding(Level.UNKNOWN, "dns-silent", "DNS", f"no answer for {problem}", remedy),))

    return looked


# --- mail to us -----------------------------------------------------------------------------------------------------


@_says_what_is_unknown
def look_at_exchanges(domain: str, settings: Sequence[str], look_up: Lookup) -> Seen:
    """Find out whether mail to a domain of ours can be delivered (RFC 5321 5.1; RFC 7505).

    :param settings: the variables whose address is in it.
    """
    uses = " and ".join(settings)
    answer = look_up(domain, Kind.MX)
    if not answer.exists:
        remedy = (
            f"Correct {uses}, or register the domain and give it an MX record. Many receivers refuse such a sender."
        )
        return _only(Level.ERROR, "domain-unknown", domain, "the DNS knows no such domain", remedy)
    exchanges = [each.partition(" ")[2].lower() for each in answer.records]
    if exchanges == ["."]:
        what = "it says that it takes no mail (a null MX), so no answer, bounce or wish to leave arrives"
        return _only(Level.ERROR, "mx-null", domain, what, f"Give it an MX record, or put another domain into {uses}.")
    if not exchanges:
        return _without_exchange(domain, uses, look_up)
    dead = [name for name in exchanges if not _addresses(name, look_up)]
    if dead:
        level = Level.ERROR if len(dead) == len(exchanges) else Level.WARNING
        what = f"of the mail servers that its MX records name, these have no address: {', '.join(dead)}"
        return _only(level, "mx-dead", domain, what, "Correct the MX records: each must name a host with an A or AAAA.")
    return Seen(f"mail to {domain} ({uses}) goes to {', '.join(exchanges)}")


def _without_exchange(domain: str, uses: str, look_up: Lookup) -> Seen:
    remedy = f"Publish an MX record that names the server where mail to {uses} arrives."
    if _addresses(domain, look_up):
        what = "it has no MX record; mail goes to its own address, and some receivers think little of such a sender"
        return _only(Level.WARNING, "mx-missing", domain, what, remedy)
    what = "it has neither an MX record nor an address, so no answer, bounce or wish to leave arrives"
    return _only(Level.ERROR, "mx-missing", domain, what, remedy)


def _addresses(name: str, look_up: Lookup) -> list[str]:
    return [*look_up(name, Kind.A).records, *look_up(name, Kind.AAAA).records]


# --- mail from us ---------------------------------------------------------------------------------------------------


@_says_what_is_unknown
def look_at_spf(domain: str, outgoing: Callable[[], Outgoing], look_up: Lookup, *, variable: str) -> Seen:
    """Find out whether receivers can use the SPF record of the envelope sender's domain.

    :param outgoing: finds the addresses from which receivers see our mail come, as far as they are known here.
    :param variable: the setting that names the domain.
    """
    try:
        reading = sender_policy.read(domain, look_up)
    except sender_policy.NoRecord:
        what = f"the domain of {variable} has no SPF record, and large providers refuse bulk mail without one"
        remedy = (
            'Publish a TXT record there: "v=spf1 mx -all" if its MX sends the mail, or what your relay\'s guide says.'
        )
        return _only(Level.ERROR, "spf-missing", domain, what, remedy)
    except sender_policy.SeveralRecords as problem:
        what, remedy = f"{problem}, so none of them counts", "Make one of them, with the terms of all."
        return _only(Level.ERROR, "spf-several", domain, what, remedy)
    return Seen(
        f"SPF of {domain} needs {reading.lookups} of {sender_policy.MOST_LOOKUPS} questions",
        tuple(_of_spf(domain, reading, outgoing().addresses)),
    )


def _of_spf(
    domain: str, reading: sender_policy.Reading, outgoing: Sequence[IPv4Address | IPv6Address]
) -> Iterator[Finding]:
    if reading.has_too_many_lookups:
        what = f"its SPF record needs more than {sender_policy.MOST_LOOKUPS} questions, so receivers give up on it"
        remedy = "Take out includes of services that no longer send for you, and `ptr`, `mx` and `a` where an ip4 does."
        yield Finding(Level.ERROR, "spf-lookups", domain, what, remedy)
        return
    if reading.broken:
        what = f"receivers cannot use its SPF record: {reading.broken}"
        yield Finding(Level.ERROR, "spf-broken", domain, what, "Correct the TXT record that begins with v=spf1.")
        return
    if not reading.record.names_anybody:
        what = "its SPF record says that nobody may send in its name"
        remedy = "Add what sends your mail before the `all`: an ip4, an mx, or the include of your relay."
        yield Finding(Level.ERROR, "spf-nobody", domain, what, remedy)
        return
    if reading.record.otherwise in "+?":
        level = Level.ERROR if reading.record.otherwise == "+" else Level.WARNING
        what = "its SPF record forbids nobody to send in its name, so it protects from no forgery"
        yield Finding(level, "spf-open", domain, what, "End it with ~all, or with -all once you know all your senders.")
    refused = [str(each) for each in outgoing if reading.record.verdict(each) in ("-", "~", "?")]
    if refused:
        what = f"its SPF record does not name {', '.join(refused)}, from where our mail seems to come"
        remedy = f"Add ip4:{refused[0]} to it." if ":" not in refused[0] else f"Add ip6:{refused[0]} to it."
        yield Finding(
            Level.WARNING, "spf-relay", domain, what, f"{remedy} Leave it if your relay sends from elsewhere."
        )


_KEYS: Mapping[Published, tuple[Level, Code, str]] = {
    Published.TESTING: (
        Level.WARNING,
        "dkim-testing",
        "the key is marked as a test (t=y), so signatures count for little",
    ),
    Published.MISSING: (Level.ERROR, "dkim-missing", "no key stands there, so no signature of ours can be verified"),
    Published.SEVERAL: (
        Level.ERROR,
        "dkim-several",
        "several records stand there, so it is not certain which one counts",
    ),
    Published.REVOKED: (
        Level.ERROR,
        "dkim-revoked",
        "the key there is revoked (an empty p=), so our signatures are invalid",
    ),
    Published.OTHER: (
        Level.ERROR,
        "dkim-other-key",
        "another key stands there than the one that we sign with, so every signature of ours is invalid",
    ),
    Published.BROKEN: (Level.ERROR, "dkim-broken", "the record there is of no use for our signatures"),
}


@_says_what_is_unknown
def look_at_keys(signer: Signer, look_up: Lookup) -> Seen:
    """Find out whether the keys that we sign with are published."""
    findings: list[Finding] = []
    good: list[str] = []
    for key in signer.keys:
        name = f"{key.selector}._domainkey.{signer.domain}"
        published, why = dkim_records.compare(key, look_up(name, Kind.TXT).records)
        if published is Published.OURS:
            good.append(name)
            continue
        level, code, what = _KEYS[published]
        remedy = f'Publish this one TXT record there: "{dkim_records.record_for(key)}"'
        if published is Published.OTHER:
            remedy += " If that key is newer, put it into MAILER_DKIM_KEY_FILE instead, and restart the workers."
        findings.append(Finding(level, code, name, f"{what}: {why}" if why else what, remedy))
    return Seen(f"published as we sign: {', '.join(good)}" if good else "", tuple(findings))


def unsigned(domain: str) -> Seen:
    """What to say where mails are not signed."""
    what = "mails are not signed (DKIM), and large providers refuse bulk mail that is not"
    remedy = (
        "Set MAILER_DKIM_DOMAIN, MAILER_DKIM_SELECTOR and MAILER_DKIM_KEY_FILE; docs/reference/settings.md shows how. "
        f"Leave it if your relay signs for {domain}."
    )
    return _only(Level.WARNING, "dkim-unset", "MAILER_DKIM_DOMAIN", what, remedy)


@_says_what_is_unknown
def look_at_dmarc(boxes: Mailboxes, signer: Signer | None, look_up: Lookup) -> Seen:
    """Find out what the domain of From asks receivers to do with forged mail, and whether ours would count as such."""
    where = f"_dmarc.{boxes.author}"
    try:
        policy = dmarc.find(boxes.author, look_up)
    except dmarc.BrokenPolicy as problem:
        return _only(
            Level.ERROR, "dmarc-broken", where, str(problem), "Leave one TXT record there that begins v=DMARC1;"
        )
    if policy is None:
        what = f"nothing says what to do with mail that is forged in the name of {boxes.author} (DMARC)"
        remedy = f'Publish a TXT record there, at first "v=DMARC1; p=none; rua=mailto:dmarc@{boxes.author}".'
        return _only(Level.ERROR, "dmarc-missing", where, what, remedy)
    return Seen(f"DMARC of {policy.domain} asks for {policy.handling}", tuple(_of_dmarc(boxes, signer, policy)))


def _of_dmarc(boxes: Mailboxes, signer: Signer | None, policy: dmarc.Policy) -> Iterator[Finding]:
    by_key = signer is not None and policy.aligns(signer.domain, boxes.author, strict=policy.strict_dkim)
    by_envelope = policy.aligns(boxes.envelope, boxes.author, strict=policy.strict_spf)
    where = f"_dmarc.{policy.domain}"
    if signer is not None and not by_key:
        what = f"it asks for strict alignment (adkim=s), and mails from {boxes.author} are signed by {signer.domain}"
        remedy = f"Set MAILER_DKIM_DOMAIN to {boxes.author} and publish the key there, or take adkim=s out."
        yield Finding(Level.WARNING if by_envelope else Level.ERROR, "dmarc-unaligned", where, what, remedy)
    elif not by_key and not by_envelope:
        what = (
            f"neither a signature nor the envelope sender ({boxes.envelope}) is of the domain of From "
            f"({boxes.author}), so all our mail counts as forged"
        )
        remedy = f"Sign with DKIM, or put an address at {boxes.author} into MAILER_BOUNCE_ADDRESS."
        yield Finding(Level.ERROR, "dmarc-unaligned", where, what, remedy)
    if policy.handling == "none":
        what = "it asks receivers to let forged mail through (p=none), so anybody can write in your name"
        remedy = "Once the reports show that all your own mail passes, change it to p=quarantine, later to p=reject."
        yield Finding(Level.WARNING, "dmarc-none", where, what, remedy)


# --- where our mail comes from --------------------------------------------------------------------------------------


@_says_what_is_unknown
def look_at_names(outgoing: Callable[[], Outgoing], look_up: Lookup) -> Seen:
    """Find out whether the addresses that our mail comes from have names that lead back to them (PTR)."""
    findings, good = [], []
    known = outgoing()
    for address in known.addresses:
        names = look_up(address.reverse_pointer, Kind.PTR).records
        kind = Kind.A if address.version == 4 else Kind.AAAA
        if not names:
            what = "this address has no name (PTR), and large providers refuse mail from such"
            remedy = "Have whoever gives you the address set its reverse DNS to the name of the mail server."
            findings.append(Finding(Level.ERROR, "ptr-missing", str(address), what, remedy))
        elif not any(_leads_to(name, kind, address, look_up) for name in names[:5]):
            what = f"its name {names[0]} (PTR) does not lead back to it, and large providers refuse mail from such"
            remedy = f"Publish {kind} {address} for {names[0]}, or have the reverse DNS changed."
            findings.append(Finding(Level.ERROR, "ptr-mismatch", str(address), what, remedy))
        else:
            good.append(f"{address} is called {names[0]}")
    return Seen(", ".join(good) or known.why_not, tuple(findings))


def _leads_to(name: str, kind: Kind, address: IPv4Address | IPv6Address, look_up: Lookup) -> bool:
    return any(type(address)(each) == address for each in look_up(name, kind).records)


def _only(level: Level, code: Code, where: str, what: str, remedy: str) -> Seen:
    return Seen(findings=(Finding(level, code, where, what, remedy),))
