#!/usr/bin/env bash
# OpenSMTPD 6.8.0p2 takes 100 messages on a connection. From then on it answers each MAIL with 452 4.5.3 and keeps the
# connection open. The code is temporary, and RFC 3463 has it for too many recipients: nothing tells the client that the
# connection is to blame. If it goes on there, it defers everybody else; on a new one the next message is taken at once.
. "$(dirname "$0")/lib.sh"

debian opensmtpd=6.8.0p2-4+b4
inside 'touch /etc/aliases
    sed -i "s/^listen on localhost/& port $PORT/" /etc/smtpd.conf
    echo "match from any for domain \"example.net\" action \"local\"" >>/etc/smtpd.conf
    exec smtpd -d'
message() {
    say 'MAIL FROM:<alerts@example.org>'
    hear 250
    say 'RCPT TO:<root@example.net>'
    hear 250
    say DATA
    hear 354
    say 'Subject: one of many' '' hello .
    hear 250
}

for _ in $(seq 100); do message >"$folder/conversation" || { cat "$folder/conversation"; exit 1; }; done
echo "(100 messages were taken)"
for _ in 1 2 3; do
    say 'MAIL FROM:<alerts@example.org>'
    hear '452 4.5.3'
done
say NOOP
hear 250
connect
message
echo "as expected"
