"""A client of the API, as one person, with one token."""

from __future__ import annotations

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from phases import tokens
from phases.models import User
from relman.actors import Actor

PROBLEM = "application/problem+json"


class Api:
    """Requests below /api/v1/ with a bearer token; JSON in, JSON out."""

    def __init__(self, user: User | None = None, *, raw: str = "", agent: str = "", **scope: Any) -> None:
        self.client = Client(raise_request_exception=False)
        self.raw = raw
        if user is not None:
            _, self.raw = tokens.issue(user, actor=Actor(user, "page"), name="test", **scope)
        self.headers = {"user-agent": agent} if agent else {}
        if self.raw:
            self.headers["authorization"] = f"Bearer {self.raw}"

    def call(self, method: str, path: str, body: Any = None, *, key: str = "", **headers: str) -> Any:
        """Any request; `body` goes as JSON."""
        extra = {**self.headers, **headers, **({"idempotency-key": key} if key else {})}
        data = "" if body is None else body if isinstance(body, (str, bytes)) else json.dumps(body)
        address = path if path.startswith("/") else f"/api/v1/{path}"
        return self.client.generic(method, address, data, content_type="application/json", headers=extra)

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, *, key: str = "", **headers: str) -> Any:
        return self.call("POST", path, {} if body is None else body, key=key, **headers)

    def put(self, path: str, body: Any, **headers: str) -> Any:
        return self.call("PUT", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self.call("PATCH", path, body, **headers)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)

    def publish(self, application: str, version: str, data: bytes, *, key: str = "", **fields: Any) -> Any:
        """Multipart, as CI does it."""
        extra = {**self.headers, **({"idempotency-key": key} if key else {})}
        form = {"version": version, **fields, "artifact": SimpleUploadedFile("app.tar.gz", data)}
        return self.client.post(f"/api/v1/applications/{application}/releases/", form, headers=extra)


def refused(answer: Any, status: int, code: str = "") -> dict[str, Any]:
    """It is a problem document of this status (and code); the document."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == PROBLEM
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["detail"]
    assert not code or document["code"] == code, document
    return document


def good(answer: Any, status: int = 200) -> Any:
    """It went well; the document."""
    assert answer.status_code == status, answer.content
    return answer.json()
