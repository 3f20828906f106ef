"""RelMan as a Django app, and the admin site it uses."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class RelmanConfig(AppConfig):
    name = "relman"
    label = "relman"

    def ready(self) -> None:
        from . import checks

        checks.register()


class AdminConfig(DjangoAdminConfig):
    default_site = "relman.site.Site"
