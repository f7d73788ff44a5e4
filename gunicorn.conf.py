"""How gunicorn serves the web part when it is started in this folder. Options on its command line override this."""

worker_class = "mailer.web.server.PatientWorker"
workers = 2
threads = 12  # fewer than a process may have connections to the database
preload_app = True

# MAILER_TRUSTED_PROXIES says how many proxies are believed when they say where a visitor comes from. By default,
# gunicorn would also believe what any program on this machine, or a visitor behind a proxy on it, says is the address
# of this site.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

# The addresses of pages hold tokens, and visitors have addresses: neither belongs in a log.
accesslog = None

# By default, gunicorn opens a control socket in the home directory. It is not used here, and two servers would share
# it.
control_socket_disable = True
