#!/usr/bin/env bash
# Exim 4.96 writes "Status: 5.0.0" into every bounce, though the server that refused gave a status of its own (RFC 3463), which
# stands two lines below in Diagnostic-Code. An address that does not exist, a full mailbox, a refusal for policy, and a
# temporary error after which it gave up all look alike. What goes by Status (RFC 3464, section 2.3.4) has to give all these
# addresses up, or none.
. "$(dirname "$0")/lib.sh"

debian exim4-daemon-light=4.96-15+deb12u11 python3-minimal
refusing
inside 'cat >/etc/exim4/exim4.conf <<END
primary_hostname = relay.example.org
log_file_path = /var/log/exim4/%slog
acl_smtp_rcpt = accept
begin routers
ours:
  driver = accept
  domains = example.org
  transport = file
theirs:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = elsewhere
begin transports
file:
  driver = appendfile
  file = /var/log/exim4/returned
  user = Debian-exim
elsewhere:
  driver = smtp
  port = $((PORT + 1))
  allow_localhost
END
    python3 /refusing.py &
    exec exim4 -bdf -oX $PORT'
for who in nobody full policy later; do
    say 'MAIL FROM:<alerts@example.org>'
    hear 250
    say "RCPT TO:<$who@example.net>"
    hear 250
    say DATA
    hear 354
    say 'Subject: letter' '' hello .
    hear 250
    returned /var/log/exim4/returned '^(Final-Recipient|Status|Diagnostic-Code):'
done
for diagnostic in '550 5.1.1' '552 5.2.2' '550 5.7.1' '452 4.2.2'; do
    grep -q "^Diagnostic-Code: smtp; $diagnostic" "$folder/returned" || { echo "expected: $diagnostic"; exit 1; }
done
[ "$(grep '^Status:' "$folder/returned" | sort | uniq -c | xargs)" = '4 Status: 5.0.0' ] || { echo "expected: 5.0.0"; exit 1; }
echo "as expected"
