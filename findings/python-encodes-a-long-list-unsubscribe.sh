#!/usr/bin/env bash
# Python's email package (seen in 3.11.7) writes a List-Unsubscribe that is longer than 78 columns as an encoded word, though
# RFC 2047 (section 5) forbids one there and RFC 2369 wants an address in angle brackets. A program that looks for
# "<https:" finds none, so the one-click unsubscribe of RFC 8058 is lost, and nothing warns of it. One URL cannot be
# folded; within 998 octets the line might have stayed as it was.
set -euo pipefail

python3 - <<'END'
import email, platform
from email.message import EmailMessage
from email.policy import SMTP

url = "https://act.example.org/unsubscribe/" + "0123456789abcdef" * 4
mail = EmailMessage(policy=SMTP)
mail["From"] = "alerts@example.org"
mail["List-Unsubscribe"] = f"<{url}>"
mail.set_content("hello")
written = mail.as_bytes()
line = next(line for line in written.split(b"\r\n") if line.startswith(b"List-Unsubscribe"))
print("Python", platform.python_version(), "writes:")
print(written.partition(b"\r\nContent-Type")[0].decode())
assert b"<https:" not in written and b"=?utf-8?q?" in line, "it is written as it is now"
print("as expected")
END
