"""Every address of RelMan."""

from django.contrib import admin
from django.urls import include, path

from relman import docs, views

handler400 = "relman.http.bad_request"
handler403 = "relman.http.forbidden"
handler404 = "relman.http.not_found"
handler500 = "relman.http.unexpected"

urlpatterns = [
    path("", views.home, name="home"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("signin/", views.signin, name="signin"),
    path("signout/", views.signout, name="signout"),
    path("me/", views.me, name="me"),
    path("me/theme/", views.theme, name="theme"),
    path("help/", views.help_page, name="help"),
    path("more/", views.more, name="more"),
    path("admin/login/", views.admin_signin, name="admin-signin"),
    path("admin/", admin.site.urls),
    path("_gate/", include("phases.views.gate")),
    path("api/v1/", include("releases.api.urls")),
    path("api/schema/", docs.Document.as_view(), name="api-schema"),
    path("api/docs/", docs.page, name="api-docs"),
    path("", include("phases.urls")),
    path("", include("releases.urls")),
]
