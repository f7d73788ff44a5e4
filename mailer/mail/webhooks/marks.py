"""Header fields by which a provider knows a mail again, and gives back whose it is in what it posts: many put a
Message-ID and an envelope sender of their own in place of ours.

They also have the provider count nobody's reading, where it can be told so in a header: it would put a picture into the
mail, and addresses of its own in place of ours.

DKIM does not cover them. Providers take them out on the way, or change them, and with them a signature would break;
nothing is lost, since what somebody else put there would not be a token of ours.
"""

from collections.abc import Iterable

from mailer.mail.webhooks.types import Provider

#: `%b` stands for the token
_FIELDS = {
    Provider.SES: b"",  # it tells us the envelope sender, in which the token is
    Provider.SENDGRID: (
        b'X-SMTPAPI: {"unique_args": {"tocsin": "%b"},\r\n "filters": {"opentrack": {"settings": {"enable": 0}},\r\n'
        b' "clicktrack": {"settings": {"enable": 0}},\r\n "subscriptiontrack": {"settings": {"enable": 0}}}}\r\n'
    ),
    Provider.MAILGUN: b'X-Mailgun-Variables: {"tocsin": "%b"}\r\nX-Mailgun-Track: no\r\n',
    Provider.POSTMARK: b"X-PM-Metadata-tocsin: %b\r\nX-PM-TrackLinks: None\r\n",
    Provider.BREVO: b"X-Mailin-custom: tocsin:%b\r\n",
    Provider.SPARKPOST: (
        b'X-MSYS-API: {"metadata": {"tocsin": "%b"},\r\n'
        b' "options": {"open_tracking": false, "click_tracking": false}}\r\n'
    ),
}


def template(providers: Iterable[Provider]) -> bytes:
    """The fields of some providers, with their line ends and `%b` for the token; empty if they need none.

    Of several it goes into each: what one does not know, it passes on.
    """
    return b"".join(_FIELDS[provider] for provider in providers)


def fill(template: bytes, token: str) -> bytes:
    """The fields of one mail.

    :param token: ASCII letters and digits.
    """
    return template.replace(b"%b", token.encode("ascii"))
