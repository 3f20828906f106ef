"""All settings, from the environment: NAME, or NAME_FILE for the path of a file that holds the value."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import environ

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()


def value(name: str, default: str = "") -> str:
    """The setting `name`, or the content of the file that `name`_FILE names."""
    path = os.environ.get(f"{name}_FILE")
    return Path(path).read_text().strip() if path else os.environ.get(name, default)


def whole(name: str, default: int) -> int:
    """A whole number from the environment."""
    return int(os.environ.get(name) or default)


def database(url: str) -> dict[str, Any]:
    """Django's settings for a database URL; a socket folder may stand percent-encoded as host."""
    parsed = env.db_url_config(url)
    parsed["HOST"] = unquote(str(parsed.get("HOST") or ""))
    # A process that hangs inside a transaction holds its locks: the database ends that session within half a lease.
    hang = f"-c idle_in_transaction_session_timeout={max(5, LEASE // 2)}s"
    options = {"connect_timeout": 5, **parsed.get("OPTIONS", {}), "pool": POOL, "options": hang}
    # Without checks, each connection that a restart of the database broke would fail one request, or one visit.
    return {**parsed, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True, "OPTIONS": options}


DEMO = value("RELMAN_DEMO") == "1"
DEBUG = value("DEBUG") == "1"
HOME = Path(value("RELMAN_HOME") or BASE_DIR / ".relman").resolve()
PORT = whole("RELMAN_PORT", 8000)
GATEWAY_PORT = whole("RELMAN_GATEWAY_PORT", 8080)
ORGANISATION = value("RELMAN_ORGANISATION", "Demo" if DEMO else "")
PUBLIC_URL = value("RELMAN_URL_PUBLIC", f"http://localhost:{PORT}").rstrip("/")
HTTPS = PUBLIC_URL.startswith("https:")

UNPACKED_MAX_BYTES = whole("RELMAN_UNPACKED_MAX_BYTES", 2 * 1024**3)
UNPACKED_MAX_ENTRIES = whole("RELMAN_UNPACKED_MAX_ENTRIES", 50_000)
UPLOAD_MAX_BYTES = whole("RELMAN_UPLOAD_MAX_BYTES", 2 * 1024**3)

KEEP_DAYS = whole("RELMAN_KEEP_DAYS", 90)
KEEP_RELEASES = whole("RELMAN_KEEP_RELEASES", 20)
"""Retention: an artifact stays for so many days after its last use, and the newest ones of an application always."""
RETENTION = value("RELMAN_RETENTION", "off")
"""off: only `manage.py retention` deletes. daily: a worker does it once a day."""

SECRET_KEY = value("SECRET_KEY")
SECRETS_KEYS = [key for key in value("RELMAN_SECRETS_KEY").replace(",", " ").split() if key]
"""Fernet keys, newest first: the first encrypts, all decrypt."""

ALLOWED_HOSTS = [
    *(value("RELMAN_ALLOWED_HOSTS") or "localhost,127.0.0.1").split(","),
    ".localhost",
]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "relman.apps.RelmanConfig",
    "relman.audit.apps.AuditConfig",
    "phases.apps.PhasesConfig",
    "releases.apps.ReleasesConfig",
    "relman.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "guardian",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "django_htmx",
    "template_partials",
    "csp",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "relman.compression.CompressionMiddleware",
    "relman.compression.StaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "relman.pages.ZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "relman.turned.TurnedMiddleware",
    "relman.http.ErrorMiddleware",
    "releases.uploads.UploadMiddleware",
]
ROOT_URLCONF = "relman.urls"
ASGI_APPLICATION = "relman.asgi.application"
WSGI_APPLICATION = "relman.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "relman.shell.shell",
            ],
        },
    }
]

LEASE = whole("RELMAN_LEASE", 30)
POOL = {"min_size": 0, "max_size": whole("RELMAN_DATABASE_POOL", 12), "timeout": 10, "reconnect_timeout": 2}
"""Reconnecting gives up soon and is begun anew by whoever asks next: else its waits grow while the database is away,
and go on for minutes after it is back."""
DATABASES = {"default": database(value("DATABASE_URL", "postgres://localhost/relman"))}
DATABASE_ROLE = value("RELMAN_DATABASE_ROLE")
"""Whom `prepare` gives the application's rights, when it is not the owner of the tables who runs web and workers."""
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "phases.User"
AUTHENTICATION_BACKENDS = ["relman.throttle.PasswordBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "signin"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "signin"
GUARDIAN_MONKEY_PATCH_USER = False
ANONYMOUS_USER_NAME = None
# Rights are asked in phases.permissions, which knows the end of a grant; guardian's backend does not. Whatever ends TLS
# in front of RelMan sends people there and asks browsers to stay: whoever runs RelMan could not follow W004 and W008.
SILENCED_SYSTEM_CHECKS = ["guardian.W001", "security.W004", "security.W008"]

# One cookie jar serves all ports of a host name: two installations side by side must not share names.
SESSION_COOKIE_NAME = f"relman_session_{PORT}"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_NAME = f"relman_csrf_{PORT}"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "relman.http.csrf_failure"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'", f"http://*.localhost:{GATEWAY_PORT}"],
        "frame-ancestors": ["'none'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
FILE_UPLOAD_HANDLERS = ["releases.uploads.HashingUploadHandler"]
FILE_UPLOAD_PERMISSIONS = 0o600

LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = "relman.formats"
TIME_ZONE = value("RELMAN_TIME_ZONE", "UTC")
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(value("RELMAN_STATIC_ROOT") or HOME / "static")
STATICFILES_DIRS = [BASE_DIR / "static"]
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_AUTOREFRESH = DEBUG

BROKER_URL = value("BROKER_URL", "redis://localhost:6379/0")
CELERY_BROKER_URL = BROKER_URL
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
    "visibility_timeout": 300,
    "socket_connect_timeout": 2,
    "socket_timeout": 10,
    # A broker that answers nothing any more is noticed after this and `socket_timeout`, and connected to anew.
    "health_check_interval": 10,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "relman"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_DB_REUSE_MAX = 10_000
"""Else Celery closes the pool after every task, and each visit begins by connecting anew (see `releases.tasks`)."""

# The promise of the engine, in seconds (a lease of 30 s, renewed every 10 s, swept every 10 s); LEASE stands above.
SWEEP = whole("RELMAN_SWEEP", 10)
RING_AGAIN = whole("RELMAN_RING_AGAIN", 15)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "relman.identity.BearerAuthentication",
        "relman.identity.PageAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "relman.http.api_exception",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "RelMan",
    "DESCRIPTION": "Plan, schedule and control the movement of releases through their phases.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENABLE_DJANGO_DEPLOY_CHECK": False,  # its remarks are for whoever writes RelMan: tests look at the schema
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "COMPONENT_SPLIT_REQUEST": True,
    "PREPROCESSING_HOOKS": ["relman.schema.ours"],
    "ENUM_NAME_OVERRIDES": {
        "PromotionStatus": "releases.statuses.STATUSES",
        "StepStatus": "releases.statuses.STEP_STATUSES",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": value("LOG_LEVEL", "INFO")},
    "loggers": {"django.request": {"handlers": ["console"], "level": "ERROR", "propagate": False}},
}
