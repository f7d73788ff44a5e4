#!/usr/bin/env bash
# chasquid 1.11 offers PIPELINING. RFC 2920 (section 3.1) lets a client write the commands of its next message right behind
# the end of a body, and a server must not lose what is in its buffer (section 3.2). chasquid takes the message, drops what
# had come with it, and waits. So does the client, for the answer to MAIL: five minutes, says RFC 5321 (section 4.5.3.2).
. "$(dirname "$0")/lib.sh"

cd "$folder"
apt-get download -qq chasquid=1.11-2+b2 2>/dev/null || { echo "it cannot be had"; exit 2; }
dpkg -x chasquid_*.deb .
mkdir -p etc/chasquid/domains/example.net etc/chasquid/certs/relay.example.org data
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=relay.example.org \
    -keyout etc/chasquid/certs/relay.example.org/privkey.pem -out etc/chasquid/certs/relay.example.org/fullchain.pem 2>log
echo 'someone: other@elsewhere.example' >etc/chasquid/domains/example.net/aliases
cat >etc/chasquid/chasquid.conf <<END
hostname: "relay.example.org"
smtp_address: "127.0.0.1:$port"
submission_address: "127.0.0.1:$((port + 1))"
submission_over_tls_address: "127.0.0.1:$((port + 2))"
data_dir: "$folder/data"
mail_log_path: "<stdout>"
END
usr/bin/chasquid --config_dir etc/chasquid >log 2>&1 &
server=$!
disown
connect

envelope=('MAIL FROM:<alerts@example.org>' 'RCPT TO:<someone@example.net>' DATA)
say "${envelope[@]}"
hear 250 250 354
say 'Subject: one' '' hello . "${envelope[@]}"
hear 250
silence 10
say "${envelope[@]}"
hear 250 250 354
echo "as expected"
