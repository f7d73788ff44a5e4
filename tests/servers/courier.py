"""Debian's Courier, asking no DNS."""

from tests.support.relays import Relay

COURIER = Relay(
    name="courier",
    debian=("courier-mta",),
    script="""
        cd /etc/courier
        hostname >me
        echo gone.example.org >>locals
        echo ":[127.0.0.1],$SINK" >esmtproutes
        sed -i "s/^PORT=.*/PORT=127.0.0.1.$PORT/; s/^BOFHCHECKDNS=.*/BOFHCHECKDNS=0/" esmtpd
        sed -i 's/^TARPIT=.*/TARPIT=0/' esmtpd  # 8 s for the first mistake of a connection, 16 s for the second
        sed -i 's/-noidentlookup/& -nodnslookup/' esmtpd
        makesmtpaccess
        install -d -o courier -g courier /run/courier /run/courier/authdaemon /var/lib/courier/sts
        testmxlookup --sts-cache-disable
        for service in courier-authdaemon courier courier-mta; do /etc/init.d/$service start; done
        exec sleep infinity
    """,
)
