#!/usr/bin/env bash
# dkimpy 1.1.8 signs List-Unsubscribe unless it is told which fields to sign, but not List-Unsubscribe-Post, without which
# there is no one-click unsubscribe. RFC 8058 (section 4) wants a valid signature over both: a mailbox provider that goes by it
# shows no button, though the mail has both fields and the signature is valid. It stays valid without the second one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check dkimpy==1.1.8 2>"$folder/log" ||
    { echo "it cannot be installed"; exit 2; }
openssl genrsa -out "$folder/key.pem" 2048 2>"$folder/log"
openssl rsa -in "$folder/key.pem" -pubout -outform DER -out "$folder/public" 2>"$folder/log"
"$folder/bin/python" - "$folder" <<'END'
import base64, importlib.metadata, pathlib, re, sys
import dkim

folder = pathlib.Path(sys.argv[1])
public = base64.b64encode((folder / "public").read_bytes())
mail = b"""\
From: alerts@example.org
To: ana@example.net
Subject: letter
Date: Sun, 1 Nov 2026 12:00:00 +0000
Message-ID: <0123456789abcdef@example.org>
List-Unsubscribe: <https://act.example.org/unsubscribe/0123456789abcdef>
List-Unsubscribe-Post: List-Unsubscribe=One-Click

hello
""".replace(b"\n", b"\r\n")
field = dkim.sign(mail, b"mail", b"example.org", (folder / "key.pem").read_bytes())
signed = re.sub(r"\s", "", re.search(rb"[\s;]h=([^;]*);", field)[1].decode()).split(":")
print("dkimpy", importlib.metadata.version("dkimpy"), "signs:", *signed)
assert "list-unsubscribe" in signed and "list-unsubscribe-post" not in signed, "it is signed now"
without = re.sub(rb"List-Unsubscribe-Post: [^\r]*\r\n", b"", mail)
is_valid = dkim.verify(field + without, dnsfunc=lambda name, timeout=5: b"v=DKIM1; p=" + public)
print("valid without List-Unsubscribe-Post:", is_valid)
assert is_valid
print("as expected")
END
