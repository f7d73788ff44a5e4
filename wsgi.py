"""What a WSGI server loads: `gunicorn --preload wsgi:app`."""

import sys

from mailer.app import serve
from mailer.errors import ConfigurationError, MailerError
from mailer.settings import load_settings

try:
    app = serve(load_settings())
except (ConfigurationError, MailerError) as error:
    sys.exit(f"mailer: {error}")
