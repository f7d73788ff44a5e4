#!/usr/bin/env bash
# Python's email package (seen in 3.11.7 and 3.13.0) reads message/delivery-status as a list of groups of fields, but the type
# that RFC 6533 (section 3) has for mail sent with SMTPUTF8, message/global-delivery-status, as one message whose header is the
# first group: who was not reached, and why, becomes its body. Postfix 3.7.11 uses that type for every such mail, even if only
# its subject is not ASCII. flufl.bounce 6.0.0, with which Mailman 3 counts bounces, finds nobody in it, so dead addresses stay
# on the list for ever.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check flufl.bounce==6.0.0 || { echo "it cannot be installed"; exit 2; }
"$folder/bin/python" - <<'END'
import importlib.metadata, platform
from email import message_from_string
from email.policy import default
from flufl.bounce import all_failures

BOUNCE = """\
From: MAILER-DAEMON@mx.example.net
To: alerts@example.org
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type={status}; boundary=cut

--cut
Content-Type: text/plain; charset=utf-8

It could not be delivered.
--cut
Content-Type: message/{status}

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; nobody@example.net
Action: failed
Status: 5.1.1
--cut--
"""
print("Python", platform.python_version(), "with flufl.bounce", importlib.metadata.version("flufl.bounce"))
for status, groups, failed in (("delivery-status", 2, {b"nobody@example.net"}), ("global-delivery-status", 1, set())):
    bounce = message_from_string(BOUNCE.format(status=status), policy=default)
    report = bounce.get_payload(1).get_payload()
    print(f"{bounce.get_payload(1).get_content_type()}: {[group.items() for group in report]}")
    print(f"  a body: {report[0].get_payload()!r}; failed: {set(all_failures(bounce)[1])}")
    assert len(report) == groups and all_failures(bounce)[1] == failed
assert "Final-Recipient" not in report[0] and report[0].get_payload().startswith("Final-Recipient: ")
print("as expected")
END
