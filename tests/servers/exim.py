"""Debian's Exim, as `dpkg-reconfigure exim4-config` sets it up."""

from tests.support.relays import Relay

EXIM = Relay(
    name="exim",
    debian=("exim4-daemon-light",),
    # Who may relay is asked nothing about recipients, so it takes us for somebody else, and relays to example.net only.
    script="""
        cat >/etc/exim4/update-exim4.conf.conf <<END
dc_eximconfig_configtype='smarthost'
dc_other_hostnames='gone.example.org'
dc_local_interfaces='127.0.0.1'
dc_relay_domains='example.net'
dc_smarthost='127.0.0.1::$SINK'
CFILEMODE='644'
dc_use_split_config='false'
dc_minimaldns='false'
END
        echo 'MAIN_RELAY_NETS = 192.0.2.1' >/etc/exim4/exim4.conf.localmacros
        sed -i '/^smarthost:/a self = send' /etc/exim4/exim4.conf.template  # that host is this one
        update-exim4.conf
        exec exim4 -bdf -q2s -oX $PORT  # from the 11th of a connection on, all waits for a run of the queue
    """,
)
