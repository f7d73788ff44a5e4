"""What a WSGI server loads: `gunicorn --preload wsgi:app`."""

import sys

from mailer.app import create_app
from mailer.errors import ConfigurationError
from mailer.settings import load_settings

try:
    app = create_app(load_settings())
except ConfigurationError as error:
    sys.exit(f"mailer: {error}")
