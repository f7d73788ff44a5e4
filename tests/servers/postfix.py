"""Debian's Postfix, alone and with Postgrey."""

from tests.support.relays import Relay

_CONFIGURE = """
    postconf -e myhostname=relay.example.org mydestination=gone.example.org inet_interfaces=127.0.0.1 \\
        relayhost=[127.0.0.1]:$SINK maillog_file=/dev/stdout
    sed -i "s/^smtp  *inet/$PORT inet/" /etc/postfix/master.cf
    newaliases
"""

POSTFIX = Relay(name="postfix", debian=("postfix",), script=f"{_CONFIGURE} exec /usr/sbin/postfix start-fg")

POSTGREY = Relay(
    name="postgrey",
    debian=("postfix", "postgrey"),
    script=f"""{_CONFIGURE}
        postconf -e 'smtpd_recipient_restrictions=check_policy_service inet:127.0.0.1:10023'
        postgrey --inet=127.0.0.1:10023 --delay=1 --daemonize
        exec /usr/sbin/postfix start-fg
    """,
)
