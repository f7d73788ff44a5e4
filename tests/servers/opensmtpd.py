"""Debian's OpenSMTPD."""

from tests.support.relays import Relay

OPENSMTPD = Relay(
    name="opensmtpd",
    debian=("opensmtpd",),
    script="""
        touch /etc/aliases
        sed -i "/^match/d; s/^listen on localhost/& port $PORT/" /etc/smtpd.conf
        cat >>/etc/smtpd.conf <<END
action "sink" relay host smtp://127.0.0.1:$SINK
match from any for domain "gone.example.org" action "local"
match from local for any action "sink"
END
        exec smtpd -d
    """,
)
