"""Journeys and pages in a real Chromium, against one running RelMan."""
