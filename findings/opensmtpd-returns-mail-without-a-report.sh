#!/usr/bin/env bash
# OpenSMTPD 6.8.0p2 returns mail as multipart/mixed: the parts of a report are there, but not the type multipart/report that
# RFC 3464 (section 2) asks for, by which a program tells a bounce. Nor does it say Auto-Submitted (RFC 3834, section 5). Why the
# mail was refused stands only among the words for people: Status is always 5.0.0, and there is no Diagnostic-Code.
. "$(dirname "$0")/lib.sh"

debian opensmtpd=6.8.0p2-4+b4 python3-minimal
refusing
inside 'touch /etc/aliases
    useradd --create-home alerts
    cat >/etc/smtpd.conf <<END
listen on 127.0.0.1 port $PORT
action ours mbox
action theirs relay host smtp://127.0.0.1:$((PORT + 1))
match from any for domain "example.org" action ours
match from any for any action theirs
END
    python3 /refusing.py &
    exec smtpd -d'
for who in nobody full policy; do
    say 'MAIL FROM:<alerts@example.org>'
    hear 250
    say "RCPT TO:<$who@example.net>"
    hear 250
    say DATA
    hear 354
    say 'Subject: letter' '' hello .
    hear 250
    returned /var/mail/alerts '^(Content-Type|Auto-Submitted|Final-Recipient|Action|Status|Diagnostic-Code): |@example.net:'
done
of() { grep -c -i "^$1" "$folder/returned" || true; }
[ "$(of 'Content-Type: multipart/mixed'),$(of 'Content-Type: message/delivery-status'),$(of 'Status: 5.0.0')" = 3,3,3 ] ||
    { echo "expected: three that are multipart/mixed, with a report, and the status 5.0.0"; exit 1; }
[ "$(of 'Content-Type: multipart/report'),$(of Auto-Submitted),$(of Diagnostic-Code)" = 0,0,0 ] ||
    { echo "expected: no multipart/report, Auto-Submitted or Diagnostic-Code"; exit 1; }
echo "as expected"
