#!/usr/bin/env bash
# xdg-email 1.1.3 takes several addresses, writes the first where a mailto link has its address, and each other one as "to=",
# which RFC 6068 (section 2) allows. Of the fields of a link mutt 2.2.12 takes those on a list, "to" is not on it, and mutt says
# nothing: the letter is written to the first address alone. Of a link that has all its addresses there, nobody is left. A
# comma between the addresses reaches everybody.
. "$(dirname "$0")/lib.sh"

debian mutt=2.2.12-0.1~deb12u2 xdg-utils=1.1.3-4.1
cat >"$folder/root/keep" <<'END'
#!/bin/sh
cat >/letter
END
chmod +x "$folder/root/keep"
printf '%s\n' 'set sendmail=/keep copy=no from=ana@example.org use_from=yes hostname=example.org' >"$folder/root/muttrc"

# recipients COMMAND…: runs it there with mutt for its mail program; the To of what would have been sent.
recipients() {
    rm -f "$folder/root/letter"
    env -i PATH="$PATH" HOME=/tmp LC_ALL=C.UTF-8 MAILER="$mailer" chroot "$folder/root" "$@" </dev/null 2>&1 | sed 's/^/  /' >&2
    sed -n 's/^To: //p' "$folder/root/letter" 2>/dev/null || true
}

# expect ADDRESSES COMMAND…: they are who COMMAND writes to.
expect() {
    local expected=$1 found
    shift
    echo "$*"
    found=$(recipients "$@")
    echo "  is written to: ${found:-nobody}"
    [ "$found" = "$expected" ] || { echo "expected: $expected"; exit 1; }
}

mailer='echo'
recipients xdg-email --subject letter --body hello embassy@example.net court@example.net
mailer='mutt -n -F /muttrc'
expect embassy@example.net xdg-email --subject letter --body hello embassy@example.net court@example.net
expect '' xdg-email 'mailto:?to=embassy@example.net&subject=letter&body=hello'
expect 'embassy@example.net, court@example.net' \
    xdg-email 'mailto:embassy@example.net,court@example.net?subject=letter&body=hello'
echo "as expected"
