#!/usr/bin/env bash
# SpamAssassin 4.0.1 (as Debian 12 has it) gives a point to ordinary Russian beside links: MIXED_ES, "too many es are not
# es", counts е as an e in disguise, and Latin addresses supply the true ones that it compares them with. Without the
# addresses the same text costs nothing. Who writes Latin letters into Russian words to get the point back does what the
# rule looks for.
. "$(dirname "$0")/lib.sh"

# mail [ADDRESS]: a letter in which that address stands behind each sentence.
mail() {
    printf '%s\n' 'From: Harbour <alerts@example.org>' 'To: ana@example.net' "Date: $(date -R)" 'Subject: letter' \
        'Message-ID: <0123456789abcdef@example.org>' 'MIME-Version: 1.0' \
        'Content-Type: text/plain; charset=utf-8' 'Content-Transfer-Encoding: 8bit' ''
    for _ in $(seq 8); do
        echo "Пожалуйста, напишите сегодня же: в тюрьме сидят шестеро, и каждое письмо даёт им надежду. $*"
    done
}

# rules: what fits of the package's rules, with its points.
rules() {
    chroot "$folder/root" spamassassin --local --configpath=/usr/share/spamassassin --nocreate-prefs --prefspath=/dev/null \
        --cf='clear_headers' --cf='fold_headers 0' --cf='add_header all Rules _TESTSSCORES( )_' 2>"$folder/log" |
        grep '^X-Spam-Rules:'
}

debian spamassassin=4.0.1-1~deb12u1
echo "with addresses:"
with=$(mail https://example.org/letters/veldara | rules)
echo "$with"
echo "without:"
without=$(mail | rules)
echo "$without"
case $with in *MIXED_ES=1*) ;; *) echo "expected: MIXED_ES"; exit 1 ;; esac
case $without in *MIXED_ES*) echo "expected: no MIXED_ES"; exit 1 ;; esac
echo "as expected"
