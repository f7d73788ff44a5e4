# What the findings share: a server in a temporary folder, and a conversation with it that is shown and kept.
set -euo pipefail

port=$((20000 + RANDOM % 10000))
folder=$(mktemp -d)
server=
trap finish EXIT

finish() {
    if [ -n "$server" ]; then
        pkill -KILL -P "$server" || true # the first in its namespace, whose end is everybody's
        kill -KILL "$server" 2>/dev/null || true
    fi
    rm -rf --one-file-system "$folder"
}

# debian PACKAGE=VERSION…: makes a small Debian 12 with these packages, in $folder/root. Needs root, and mmdebstrap.
debian() {
    [ "$(id -u)" = 0 ] || { echo "only root can do this"; exit 2; }
    mmdebstrap --quiet --variant=apt --include="$(IFS=,; echo "$*")" bookworm "$folder/root" 2>"$folder/log" ||
        { tail -5 "$folder/log"; echo "these packages cannot be had: $*"; exit 2; }
    printf '127.0.0.1 localhost\n127.0.1.1 relay.example.org relay\n' >"$folder/root/etc/hosts"
    : >"$folder/root/etc/resolv.conf"
    mkdir -p "$folder/root/run"
    echo "$*"
}

# inside SCRIPT: runs it in that Debian, in the background, until this program ends; port $port is to be listened to.
inside() {
    PATH=/usr/sbin:/usr/bin:/sbin:/bin PORT=$port unshare --mount --uts --pid --fork --kill-child sh -c \
        'hostname relay.example.org && mount -t proc proc "$0/proc" && exec chroot "$0" sh -euc "$1"' \
        "$folder/root" "$1" >"$folder/log" 2>&1 &
    server=$!
    disown
    connect
}

# connect: waits until the server greets.
connect() {
    for _ in $(seq 300); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            exec 3<>"/dev/tcp/127.0.0.1/$port"
            hear 220
            say 'EHLO client.example.org'
            hear 250
            return
        fi
        sleep 0.1
    done
    tail "$folder/log"
    echo "the server does not listen"
    exit 2
}

# say LINE…: writes these lines at once.
say() {
    printf 'C: %s\n' "$@"
    printf '%s\r\n' "$@" >&3
}

# hear CODE…: reads an answer for each, and ends in failure if it is another; TEXT after a code is looked for in it.
hear() {
    local line
    for expected; do
        while IFS= read -r -t 20 line <&3 || { echo "no answer; expected: $expected"; exit 1; }; do
            line=${line%$'\r'}
            echo "S: $line"
            [ "${line:3:1}" = - ] || break
        done
        case $line in "${expected%% *}"*) ;; *) echo "expected: $expected"; exit 1 ;; esac
        [ "$expected" = "${expected#* }" ] || [ "${line/"${expected#* }"/}" != "$line" ] ||
            { echo "expected: $expected"; exit 1; }
    done
}

# silence SECONDS: nothing comes for so long.
silence() {
    local line
    if IFS= read -r -t "$1" line <&3; then echo "S: $line"; echo "expected: nothing"; exit 1; fi
    echo "(nothing for $1 seconds)"
}

# refusing: writes a program for that Debian, a server on the next port that refuses some addresses, each for a reason.
refusing() {
    cat >"$folder/root/refusing.py" <<'END'
import os, socket, threading

ANSWERS = {
    "nobody": "550 5.1.1 No such person",
    "full": "552 5.2.2 The mailbox is full",
    "policy": "550 5.7.1 Refused for what your server is known for",
    "later": "452 4.2.2 The mailbox is full for now",
}


def serve(client):
    client.sendall(b"220 mx.example.net\r\n")
    for line in client.makefile(encoding="utf-8", newline="\r\n"):
        found = [answer for name, answer in ANSWERS.items() if line.upper().startswith(f"RCPT TO:<{name}@".upper())]
        says = {"EHLO": "250-mx.example.net\r\n250 ENHANCEDSTATUSCODES", "QUIT": "221 bye"}.get(line[:4].upper(), "250 2.0.0 ok")
        client.sendall(f"{found[0] if found else says}\r\n".encode())
        if line[:4].upper() == "QUIT":
            break
    client.close()


server = socket.create_server(("127.0.0.1", int(os.environ["PORT"]) + 1))
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
END
}

# returned FILE PATTERN: waits for one more mail in that file of that Debian, and shows its lines that fit; $folder/returned
# has all there are.
returned() {
    local file=$folder/returned lines=0 mails=0
    if [ -e "$file" ]; then
        lines=$(wc -l <"$file")
        mails=$(grep -c '^From ' "$file")
    fi
    for _ in $(seq 300); do
        cp "$folder/root$1" "$file" 2>/dev/null || true
        if [ -s "$file" ] && [ "$(grep -c '^From ' "$file")" -gt "$mails" ] && [ -z "$(tail -n 1 "$file")" ]; then
            tail -n "+$((lines + 1))" "$file" | grep -E "$2"
            return
        fi
        sleep 0.1
    done
    echo "nothing is returned"
    exit 1
}
