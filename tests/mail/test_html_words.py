"""Of HTML, what a reader sees is read, and what links hold."""

from mailer.mail import html_words


def test_words_are_read_as_they_are_seen_each_block_on_a_line_of_its_own() -> None:
    words, _ = html_words.read("<h1>A<b>m</b>&#97;l</h1><ul><li>one<li>two</ul>a<br>b<!-- no --><style>p {}</style>c")
    assert words.split() == ["Amal", "one", "two", "a", "bc"]


def test_what_stands_in_links_and_pictures_is_read_too() -> None:
    _, attributes = html_words.read('<a class="x" href="/a?b&amp;c" title="T">x</a><img alt="A" src="/s" width="1"/>')
    assert list(attributes) == ["/a?b&c", "T", "A", "/s"]
