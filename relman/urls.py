"""Every address of RelMan."""

from django.contrib import admin
from django.urls import include, path

from relman import docs, views

handler400 = "relman.http.bad_request"
handler403 = "relman.http.forbidden"
handler404 = "relman.http.not_found"
handler500 = "relman.http.unexpected"

urlpatterns = [
    path("", views.soon, name="home"),
    path("signin/", views.soon, name="signin"),
    path("signout/", views.soon, name="signout"),
    path("me/", views.soon, name="me"),
    path("me/theme/", views.soon, name="theme"),
    path("help/", views.soon, name="help"),
    path("more/", views.soon, name="more"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("releases.api.urls")),
    path("api/schema/", docs.Document.as_view(), name="api-schema"),
    path("api/docs/", docs.page, name="api-docs"),
    path("_gate/", include("phases.views.gate")),
    path("", include("phases.urls")),
    path("", include("releases.urls")),
]
