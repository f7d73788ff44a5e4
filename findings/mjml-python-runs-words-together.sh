#!/usr/bin/env bash
# mjml-python 1.4.2 drops what stands between two elements in mj-text if it begins with a line break: of "<b>today</b>", a new
# line and "<i>before noon</i>" it makes "todaybefore noon", and of two links one word. To a browser a line break is a space, and
# MJML 5.4.1 keeps it. So does mjml-python where a space stands before it or a letter on one side, so that few mails show the
# fault: those made from Markdown, or in an editor that wraps lines.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check mjml-python==1.4.2 || { echo "it cannot be installed"; exit 2; }
"$folder/bin/python" - <<'END'
import importlib.metadata
from mjml import mjml2html

print("mjml-python", importlib.metadata.version("mjml-python"))
for between, is_kept in (("\n", False), ("\n    ", False), (" ", True), (" \n", True), ("\nand ", True)):
    words = f"<b>today</b>{between}<i>before noon</i>"
    html = mjml2html(f"<mjml><mj-body><mj-section><mj-column><mj-text>{words}</mj-text></mj-column></mj-section></mj-body></mjml>")
    written = html[html.index("<b>") : html.index("</i>") + 4]
    print(f"{words!r} becomes {written!r}")
    assert written == (words if is_kept else "<b>today</b><i>before noon</i>")
print("as expected")
END
