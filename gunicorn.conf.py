"""How gunicorn serves the web part when it is started in this folder; its command line may say otherwise."""

worker_class = "mailer.web.server.PatientWorker"
workers = 2
threads = 12  # fewer than a process may have connections to the database
preload_app = True

# Proxies may say where a visitor comes from, and MAILER_TRUSTED_PROXIES how many of them are believed. gunicorn would
# also believe everybody on this machine, and whoever a proxy there passes on, what the address of this site is.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

# The addresses of pages hold tokens, and visitors have addresses: neither belongs in a log.
accesslog = None

# A socket in the home directory, by which to steer the server: nobody here does, and two servers would share it.
control_socket_disable = True
