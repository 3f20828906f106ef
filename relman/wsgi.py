"""WSGI entry for pages and API (the event stream needs ASGI)."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "relman.settings")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
