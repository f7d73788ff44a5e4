#!/usr/bin/env bash
# mjml-python 1.4.2 writes attributes as Rust writes a string for programmers: a letter that is invisible, or stands upon another,
# becomes "\u{200c}", "\u{94d}" or "\u{a0}", and a double quote within single ones becomes \" which ends the attribute. Beside
# attributes all of them stay. The words of mj-title are repeated in aria-label, so whoever has a Persian or Hindi mail read aloud
# hears numbers in its title; a link whose address has such a letter leads elsewhere; of style='font-family: "Segoe UI"; …'
# nothing is left.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check mjml-python==1.4.2 || { echo "it cannot be installed"; exit 2; }
"$folder/bin/python" - <<'END'
import importlib.metadata
from html.parser import HTMLParser
from mjml import mjml2html


class Reader(HTMLParser):
    """Keeps what a reader is given."""

    def __init__(self):
        super().__init__()
        self.seen = {}

    def handle_starttag(self, tag, attrs):
        self.seen |= {name: value for name, value in attrs if tag == "a" or name == "aria-label"}

    def handle_data(self, data):
        if data.startswith("See "):
            self.seen["words"] = data


print("mjml-python", importlib.metadata.version("mjml-python"))
for letter in ("\u200c", "\u094d", "\u00a0", "\u2068"):
    word = f"न{letter}द"
    reader = Reader()
    reader.feed(mjml2html(f"""<mjml>
      <mj-head><mj-title>{word}</mj-title></mj-head>
      <mj-body><mj-section><mj-column><mj-text>
        <a href="https://example.org/{word}" style='font-family: "Segoe UI"; color: #a3161f'>See {word}</a>
      </mj-text></mj-column></mj-section></mj-body>
    </mjml>"""))
    print(ascii(reader.seen))
    spelt = f"न\\u{{{ord(letter):x}}}द"
    assert reader.seen["aria-label"] == spelt and reader.seen["href"] == f"https://example.org/{spelt}"
    assert reader.seen["words"] == f"See {word}"
    assert reader.seen["style"] == "font-family: \\"
print("as expected")
END
