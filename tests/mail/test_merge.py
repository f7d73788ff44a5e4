"""The message on the wire: whatever a person is called, the standard library reads back what was meant."""

import html
import re
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.mail import headers
from mailer.mail.merge import BrokenMessage, CompiledEdition, EditionHeaders, Merge, compile_edition, expected_headers
from mailer.mail.types import Rendering, Slot, SlotContext

LIST_HEADERS = EditionHeaders(
    sender="Harbour Solidarity <alerts@example.org>",
    reply_to="office@example.org",
    list_id="urgent.example.org",
    list_name="Urgent actions",
    list_help="https://example.org/help",
    feedback_id="c7:urgent:harbour",
)
NAME_IN_HTML = Slot("name", "fri<end", SlotContext.HTML)
RENDERING = Rendering(
    language="en",
    subject=("To ", Slot("name", "you", SlotContext.HEADER), ": act"),
    html=(
        "<p>.Dear ", NAME_IN_HTML, NAME_IN_HTML, '.</p>\n<a href="https://example.org/?n=',
        Slot("name", "", SlotContext.URL), '&amp;x=1">É</a><a href="', Slot("unsubscribe_url", "", SlotContext.HTML),
        '">Leave</a>',
    ),
    text=("Dear ", Slot("name", "fri<end"), "\n.\n\n", Slot("name", ""), "\n.. é ", Slot("unsubscribe_url"), " \n"),
)  # fmt: skip
EDITION = compile_edition(RENDERING, LIST_HEADERS)
LINKS = CompiledEdition(
    Rendering(
        language="en",
        subject=("Links",),
        html=('<a href="', Slot("preferences_url", "", SlotContext.HTML), '">'),
        text=(Slot("preferences_url", "", SlotContext.TEXT), "\n"),
    ),
    LIST_HEADERS,
    signer=None,
)
HOSTILE_NAMES = [
    "=?utf-8?q?x=0D=0AX-Evil:_1?=",
    "==??utf-8?q?x?=",
    'Ada "the\\ countess" <x@example.net>, you',
    "Ada\r\nX-Evil: 1\r\n\r\nbody",
    "\u202eevil\u202c \u2066isolated\u2069",
    "👩‍👩‍👧‍👦" * 60,
    "e\u0301" * 300,
    "x" * 300,
    '"' * 300,
    "nul\0 and \ud800 alone",
    "\u2028line\u2029paragraph\x85next\x1cfile",
    ".",
    "<script>alert('x')</script>&amp;",
    "   ",
]


def merge_for(name: str | None = None, **fields: object) -> Merge:
    values = {
        "to_address": "ada@example.org",
        "to_name": name,
        "message_id": "<abc@example.org>",
        "date": datetime(2027, 3, 1, 12, tzinfo=UTC),
        "unsubscribe_url": "https://example.org/unsubscribe/a.b=c&d",
        "values": {} if name is None else {"name": name},
    }
    return Merge(**(values | fields))  # type: ignore[arg-type] # a factory


def read(data: bytes) -> EmailMessage:
    return message_from_bytes(data, policy=policy.default)


def content(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    assert part is not None
    assert not part.defects
    return str(part.get_content()).replace("\r\n", "\n")


@pytest.mark.parametrize("page", ["", ".", "é&", "https://act.example.org/unsubscribe"])
@pytest.mark.parametrize("token", ["a", "0aZ9" * 10, "7" * 200, "a-b", "ä", ""])
def test_links_of_one_page_read_back_wherever_their_lines_are_cut(page: str, token: str) -> None:
    for more in range(80):
        for last in (token, token[::-1]):  # the second goes by what was learned from the first
            link = f"{page}{'.' * more}/{last}"
            body = LINKS.merge(merge_for(values={"preferences_url": link}, unsubscribe_url=None))
            assert content(read(body), "plain") == f"{link}\n"
            assert content(read(body), "html") == f'<a href="{html.escape(link)}">'
            assert all(len(line) <= 76 for line in body.partition(b"\r\n\r\n")[2].split(b"\r\n"))


def display_name(message: EmailMessage) -> str:
    """The name in `To:`, as RFC 2047 has it read.

    By way of the older functions: `policy.default` of Python 3.11 shows the white space between the encoded words
    of a display name, which section 6.2 says is not part of it.
    """
    raw = dict(message.raw_items())["To"]
    phrase, _ = parseaddr("".join(raw.splitlines()))
    return str(make_header(decode_header(phrase)))


def assert_fit_for_the_wire(data: bytes) -> None:
    assert b"\r" not in data.replace(b"\r\n", b"")
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert data.endswith(b"\r\n")
    lines = data.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(line.startswith(b".") for line in lines)


names = (
    st.text(min_size=1, max_size=320)
    | st.text(alphabet='=? "\\<>@.,é\r\n\u202e', min_size=1)
    | st.sampled_from(HOSTILE_NAMES)
)


LONG_UNION = "Gewerkschaft der Hafenarbeiterinnen, Seeleute, Eisenbahnerinnen, Fernfahrer und Lotsen von Beispielhafen"


@pytest.mark.parametrize(
    ("before", "behind", "indent"),
    [("For members of ", ": please ask your branch to send a letter of its own, on its letterhead.", ""),
     ("> - For ", " and its friends, who are asked to write as well, and as soon as they can, please.", ">   "),
     ("", "", "")],
)  # fmt: skip
def test_lines_of_the_text_part_are_at_most_78_columns_whatever_fills_them(
    before: str, behind: str, indent: str
) -> None:
    rendering = replace(RENDERING, text=("Hello.\n" + before, Slot("union"), behind + "\nBye.\n"))
    edition = compile_edition(rendering, LIST_HEADERS)
    lines = content(read(edition.merge(merge_for("Ada", values={"union": LONG_UNION}))), "plain").split("\n")
    assert max(map(len, lines)) <= 78
    assert (lines[0], lines[-2]) == ("Hello.", "Bye.")
    assert all(line.startswith(indent) for line in lines[2:-2])
    assert "".join(lines[1:-2]).count(">") == len(lines[1:-2]) * (indent[:1] == ">")
    short = content(read(edition.merge(merge_for("Ada", values={"union": "Dockers"}))), "plain")
    assert short.split("\n")[1].startswith(f"{before}Dockers")


@given(names)
@example(HOSTILE_NAMES[0])
@example(HOSTILE_NAMES[1])
def test_any_name_reads_back_with_exactly_the_expected_headers(name: str) -> None:
    data = EDITION.merge(merge_for(name))
    assert_fit_for_the_wire(data)
    assert data.isascii()
    message = read(data)
    assert sorted(message.keys()) == sorted(expected_headers(LIST_HEADERS))
    assert not message.defects

    shown = headers.shortened(headers.clean_for_header(name))
    (mailbox,) = message["To"].addresses
    assert display_name(message) == shown
    assert mailbox.addr_spec == "ada@example.org"
    assert message["Subject"] == " ".join(f"To {shown}: act".split())

    cleaned = headers.clean(name)
    text = f"Dear {cleaned}\n.\n\n{cleaned}\n.. é https://example.org/unsubscribe/a.b=c&d \n"
    if len(cleaned) < 40:
        assert content(message, "plain") == text
    assert content(message, "plain").split() == text.split()
    escaped = html.escape(cleaned)
    assert content(message, "html") == (
        f'<p>.Dear {escaped}{escaped}.</p>\n<a href="https://example.org/?n={quote(cleaned, safe="@")}&amp;x=1">É</a>'
        '<a href="https://example.org/unsubscribe/a.b=c&amp;d">Leave</a>'
    )


@given(names)
def test_cleaning_takes_away_controls_and_nothing_that_people_write(name: str) -> None:
    cleaned = headers.clean(name)
    categories = {unicodedata.category(character) for character in cleaned}
    assert not categories & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(cleaned) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert "=?" not in headers.clean_for_header(name)
    if name.isprintable():
        assert cleaned == name


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="<>"), max_size=800))
def test_any_link_stands_unfolded_and_unencoded_in_the_unsubscribe_header(path: str) -> None:
    url = f"https://example.org/{path}"
    data = EDITION.merge(merge_for(unsubscribe_url=url, unsubscribe_mailto="leave+abc@example.org"))
    assert_fit_for_the_wire(data)
    assert f"\r\nList-Unsubscribe: <{url}>,\r\n <mailto:leave+abc@example.org>\r\n".encode() in data
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in data
    assert url in content(read(data), "plain")


@pytest.mark.parametrize(
    "url", ["https://example.org/a b", "https://example.org/>\r\nX: 1", "javascript:x", "https://é.org/"]
)
def test_what_is_no_ascii_url_is_refused_as_unsubscribe_link(url: str) -> None:
    with pytest.raises(headers.UnusableHeader):
        EDITION.merge(merge_for(unsubscribe_url=url))


@pytest.mark.parametrize("message_id", ["", "<a@example.org>\r\nX-Evil: 1", "<é@example.org>"])
def test_a_message_id_that_is_no_plain_ascii_is_refused(message_id: str) -> None:
    with pytest.raises(headers.UnusableHeader):
        EDITION.merge(merge_for(message_id=message_id))


@pytest.mark.parametrize("wrong", [{"list_id": "пример"}, {"list_help": "https://пример/"}, {"feedback_id": "a\nb"}])
def test_a_list_header_beyond_ascii_is_refused_when_the_edition_is_compiled(wrong: dict[str, str]) -> None:
    with pytest.raises(headers.UnusableHeader):
        compile_edition(RENDERING, replace(LIST_HEADERS, **wrong))  # type: ignore[arg-type] # only text fields


def test_without_an_unsubscribe_link_there_are_no_unsubscribe_headers() -> None:
    message = read(EDITION.merge(merge_for(unsubscribe_url=None)))
    assert "List-Unsubscribe" not in message
    assert "List-Unsubscribe-Post" not in message


def test_a_person_without_a_name_gets_the_default_escaped_and_a_bare_address() -> None:
    message = read(EDITION.merge(merge_for()))
    assert message["To"] == "ada@example.org"
    assert message["Subject"] == "To you: act"
    assert "Dear fri&lt;endfri&lt;end." in content(message, "html")
    assert content(message, "plain").startswith("Dear fri<end\n.\n\n\n.. é")


def test_list_mail_has_the_headers_of_list_mail() -> None:
    message = read(EDITION.merge(merge_for("Ada")))
    wanted = {
        "From": "Harbour Solidarity <alerts@example.org>",
        "Reply-To": "office@example.org",
        "To": "Ada <ada@example.org>",
        "Date": "Mon, 01 Mar 2027 12:00:00 +0000",
        "Message-ID": "<abc@example.org>",
        "List-Id": "Urgent actions <urgent.example.org>",
        "List-Help": "<https://example.org/help>",
        "List-Post": "NO",
        "Precedence": "bulk",
        "Feedback-ID": "c7:urgent:harbour",
        "X-Auto-Response-Suppress": "OOF, AutoReply",
        "Content-Language": "en",
        "MIME-Version": "1.0",
    }
    assert {name: message[name] for name in wanted} == wanted
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_a_notice_says_that_a_machine_sent_it_and_is_no_list_mail() -> None:
    edition = compile_edition(RENDERING, EditionHeaders(sender="alerts@example.org", auto_submitted=True))
    message = read(edition.merge(merge_for("Ada", unsubscribe_url=None)))
    assert message["Auto-Submitted"] == "auto-generated"
    assert not [name for name in message if name.startswith("List-") or name in ("Precedence", "Feedback-ID")]


def test_internationalised_domains_travel_as_a_labels_and_stay_ascii() -> None:
    data = EDITION.merge(merge_for("Ада", to_address="ada@пример.example.org"))
    assert data.isascii()
    assert read(data)["To"].addresses[0].addr_spec == "ada@xn--e1afmkfd.example.org"


def test_a_local_part_beyond_ascii_goes_out_as_utf_8_in_to_alone() -> None:
    data = EDITION.merge(merge_for(to_address="дмитрий@пример.example.org"))
    beyond = [line for line in data.split(b"\r\n") if not line.isascii()]
    assert beyond == ["To: дмитрий@xn--e1afmkfd.example.org".encode()]


@pytest.mark.parametrize(
    "address",
    ["a b@example.org", "a@example.org\r\nX: 1", "a@b@example.org", "<a@example.org>", "a", "=?utf-8?q?x?=@example.org",
     "a\u202e@example.org", "a@exa\u2028mple.org"],
)  # fmt: skip
def test_an_address_that_could_break_the_header_is_refused(address: str) -> None:
    with pytest.raises(headers.UnusableAddress):
        EDITION.merge(merge_for(to_address=address))


def test_a_sender_beyond_ascii_is_encoded_but_its_local_part_is_refused() -> None:
    edition = compile_edition(RENDERING, EditionHeaders(sender="Товарищи <alerts@пример.example.org>"))
    data = edition.merge(merge_for())
    assert data.isascii()
    assert read(data)["From"].addresses[0].display_name == "Товарищи"
    with pytest.raises(headers.UnusableAddress, match="must have only ASCII before the @"):
        compile_edition(RENDERING, EditionHeaders(sender="товарищи@example.org"))


@pytest.mark.parametrize("character", ["👩‍👩‍👧‍👦", "e\u0301", "👍🏽"])
@pytest.mark.parametrize("before", range(8))
def test_a_long_name_is_cut_between_what_is_seen_as_characters(character: str, before: int) -> None:
    shown = headers.shortened("x" * before + character * 300)
    assert 90 <= len(shown) <= 100
    assert shown.replace(character, "") == "x" * before + "…"


def test_encoded_words_are_short_and_cut_between_characters() -> None:
    data = EDITION.merge(merge_for("Ж😀" * 50))
    words = re.findall(rb"=\?utf-8\?b\?[^?]*\?=", data)
    assert len(words) > 2
    for word in words:
        assert len(word) <= 75
        assert read(b"Subject: " + word + b"\r\n\r\n")["Subject"].isprintable()


@pytest.mark.parametrize("subject", ["short", "words " * 40, "x" * 300, "é" * 300, "=?utf-8?q?not?= a word", ""])
def test_any_subject_fits_its_lines_and_reads_back(subject: str) -> None:
    rendering = Rendering(language="en", subject=(subject,), html=("<p>x</p>",), text=("x\n",))
    data = compile_edition(rendering, LIST_HEADERS).merge(merge_for())
    assert_fit_for_the_wire(data)
    assert read(data)["Subject"] == headers.clean_for_header(subject)


def test_the_same_person_gets_the_same_bytes_on_every_retry() -> None:
    again = compile_edition(RENDERING, LIST_HEADERS)
    assert again.merge(merge_for("Ada")) == EDITION.merge(merge_for("Ada"))


def test_an_edition_that_does_not_read_back_is_refused_before_anyone_gets_it() -> None:
    rendering = Rendering(language="en", subject=("x",), html=("<p>\ud800</p>",), text=("x\n",))
    with pytest.raises(BrokenMessage, match="html part"):
        compile_edition(rendering, LIST_HEADERS)


# --- several lines --------------------------------------------------------------------------------------------------

BLOCK = Rendering(
    language="en",
    subject=("To ", Slot("name", "you", SlotContext.HEADER), " in ", Slot("country", "", SlotContext.HEADER)),
    html=("<p>", Slot("block", "", SlotContext.HTML_LINES), "</p>", Slot("name", "you", SlotContext.HTML_WORDS)),
    text=(
        Slot("block", "", SlotContext.LTR_LINES),
        "\n\nDear ",
        Slot("name", "you"),
        " of ",
        Slot("country", ""),
        "\n",
    ),
)
LINES = "1 <Street>\r\nشارع\u2028.\n\n" + "word " * 30


def test_a_value_of_several_lines_keeps_them_each_escaped_and_running_its_own_way() -> None:
    edition = compile_edition(BLOCK, LIST_HEADERS)
    message = message_from_bytes(edition.merge(merge_for("Ada", values={"block": LINES})), policy=policy.default)
    text, page = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None and page is not None and not message.defects
    lines = str(text.get_content()).replace("\r\n", "\n").split("\n")
    assert lines[:4] == ["1 <Street>", "\u2068شارع\u2069", ".", ""]
    assert max(map(len, lines)) <= 78 and " ".join(lines[4:]).startswith("word " * 29)
    assert '<span dir="ltr">1 &lt;Street&gt;</span><br /><span dir="rtl">شارع</span><br />' in page.get_content()


@pytest.mark.parametrize("name", [None, "Ada", *HOSTILE_NAMES])
@pytest.mark.parametrize("own", [(), ("block",)])
def test_an_edition_that_was_prepared_for_many_makes_the_same_message(name: str | None, own: tuple[str, ...]) -> None:
    edition = compile_edition(BLOCK, LIST_HEADERS)
    shared = {"block": LINES, "country": "Fiji"}
    person = {} if name is None else {"name": name}
    whole = edition.merge(merge_for(name, values=shared | person))
    assert edition.merge(merge_for(name, values=person), edition.prepare(shared, own=own)) == whole
    assert edition.fields == {"name", "country", "block"}
