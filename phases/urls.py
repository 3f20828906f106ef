"""Addresses of the pages that set up where releases go. They stand before those of `releases`."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from phases.views import applications, environments, pipelines


class PlaceConverter(StringConverter):
    """A phase in an address below an application, where `releases` stands for its releases."""

    regex = "(?!releases/)[^/]+"


register_converter(PlaceConverter, "place")
PLACE = "apps/<str:application>/<place:phase>/"
PIPELINE = "pipelines/<str:pipeline>/"
PHASE = f"{PIPELINE}<str:phase>/"

urlpatterns = [
    path("apps/new/", applications.new, name="application-new"),
    path("apps/<str:application>/edit/", applications.edit, name="application-edit"),
    path(f"{PLACE}new/", environments.new, name="environment-new"),
    path(f"{PLACE}edit/", environments.edit, name="environment-edit"),
    path(f"{PLACE}remove/", environments.remove, name="environment-remove"),
    path(f"{PLACE}check/", environments.check, name="environment-check"),
    path(f"{PLACE}components/new/", environments.new_component, name="component-new"),
    path(f"{PLACE}components/<int:component>/remove/", environments.remove_component, name="component-remove"),
    path("pipelines/new/", pipelines.new, name="pipeline-new"),
    path(f"{PIPELINE}edit/", pipelines.edit, name="pipeline-edit"),
    path(f"{PIPELINE}phases/new/", pipelines.new_phase, name="phase-new"),
    path(f"{PHASE}edit/", pipelines.edit_phase, name="phase-edit"),
    path(f"{PHASE}remove/", pipelines.remove_phase, name="phase-remove"),
]
