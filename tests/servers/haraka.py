"""Haraka, with the plugins that `haraka --install` sets up but the one that asks the DNS about senders."""

from tests.support.relays import Relay

HARAKA = Relay(
    name="haraka",
    npm=("Haraka@3.3.4", "node@22.23.3"),  # a part of Haraka's asks for 22, which Debian does not have yet
    script="""
        PATH=$PWD/node_modules/.bin:$PATH
        haraka -i relay
        cd relay/config
        printf 'port=%s\\nlisten_host=127.0.0.1\\n' "$PORT" >smtp.ini
        printf 'rcpt_to.in_host_list\\nqueue/smtp_forward\\n' >plugins
        printf 'example.net\\n' >host_list
        printf 'host=127.0.0.1\\nport=%s\\n' "$SINK" >smtp_forward.ini
        exec haraka -c ..
    """,
)
