#!/usr/bin/env bash
# Exim 4.96 counts RSET among the commands that are no mail, of which it takes 10 (smtp_accept_max_nonmail); the first is
# free. So a client that clears up with RSET after each refused recipient, as RFC 5321 (section 4.1.1.5) has it, is cut off
# at the 12th with 554, in the middle of valid mail.
. "$(dirname "$0")/lib.sh"

debian exim4-daemon-light=4.96-15+deb12u11
inside 'exec exim4 -bdf -oX $PORT'
for _ in $(seq 11); do
    say 'MAIL FROM:<alerts@example.org>'
    hear 250
    say RSET
    hear 250
done
say 'MAIL FROM:<alerts@example.org>'
hear 250
say RSET
hear '554 Too many nonmail commands'
echo "as expected"
