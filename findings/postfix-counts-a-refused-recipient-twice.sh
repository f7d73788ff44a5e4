#!/usr/bin/env bash
# Postfix 3.7.11 hangs up after 20 errors on a connection (smtpd_hard_error_limit). A recipient that it does not know is one.
# If the client said DATA in the same write, as PIPELINING (RFC 2920, section 3.1) allows, the 554 to that DATA is another:
# 10 wrong addresses end the connection, not 20. (From half of that on, each answer takes a second; not here, to be quick.)
. "$(dirname "$0")/lib.sh"

debian postfix=3.7.11-0+deb12u1
inside 'postconf -e inet_interfaces=127.0.0.1 mydestination=example.net smtpd_error_sleep_time=0 maillog_file=/dev/stdout
    sed -i "s/^smtp  *inet/$PORT inet/" /etc/postfix/master.cf
    newaliases
    exec postfix start-fg'
refused() {  # one address at a time: $1 of them
    for number in $(seq "$1"); do
        say 'MAIL FROM:<alerts@example.org>'
        hear 250
        say "RCPT TO:<nobody$number@example.net>"
        hear '550 5.1.1'
        say RSET
        hear 250
    done
}

refused 19
echo "(19 wrong addresses, and the connection is open)"
connect
for number in $(seq 10); do
    say 'MAIL FROM:<alerts@example.org>' "RCPT TO:<nobody$number@example.net>" DATA
    hear 250 '550 5.1.1' '554 5.5.1'
    say RSET
    [ "$number" = 10 ] || hear 250
done
hear '421 4.7.0'
echo "as expected"
