#!/usr/bin/env bash
# Haraka 3.3.4 offers PIPELINING. RFC 2920 (section 3.1) lets a client write the commands of its next message right behind
# the end of a body. Haraka takes the message, and answers 503 to each command that had come with it: a client for which
# a 5yz to MAIL is about its sender gives up there. After a pause, the same commands in one write are taken.
. "$(dirname "$0")/lib.sh"

npm install --silent --no-audit --no-fund --prefix "$folder" Haraka@3.3.4 || { echo "it cannot be installed"; exit 2; }
PATH=$folder/node_modules/.bin:$PATH
haraka -i "$folder/relay" >/dev/null
cd "$folder/relay/config"
printf 'port=%s\nlisten_host=127.0.0.1\n' "$port" >smtp.ini
echo example.net >host_list
printf '%s\n' rcpt_to.in_host_list queue/discard >plugins
YES_REALLY_DO_DISCARD=1 haraka -c "$folder/relay" >"$folder/log" 2>&1 &
server=$!
disown
connect

envelope=('MAIL FROM:<alerts@example.org>' 'RCPT TO:<someone@example.net>' DATA)
say "${envelope[@]}"
hear 250 250 354
say 'Subject: one' '' hello . "${envelope[@]}"
hear 250 503 503 503
say "${envelope[@]}"
hear 250 250 354
say 'Subject: two' '' hello .
hear 250
echo "as expected"
