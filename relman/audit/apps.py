from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "relman.audit"
    label = "audit"
