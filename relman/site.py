"""The admin site: who may enter it, and its words."""

from django.contrib.admin import AdminSite


class Site(AdminSite):
    site_header = "RelMan administration"
    site_title = "RelMan administration"
    index_title = "Roles, people and rules"
    site_url = "/board/"
