"""What somebody sees when a page cannot be drawn."""

import pytest
from django.db import OperationalError
from django.test import RequestFactory

from relman import http
from relman.errors import RelManError


def shown(error, path="/board/?q=shop"):
    request = RequestFactory().get(path)
    known = http.understood(error)
    assert known is not None
    answer = http.answer(request, known)
    return answer.status_code, answer.content.decode()


@pytest.mark.parametrize(
    "error,status,title,said",
    [
        (OperationalError("gone"), 503, "RelMan cannot answer now", http.NO_DATABASE),
        (OSError(28, "No space left on device"), 507, "The disk is full", "An administrator has to make room"),
        (RelManError(http.UNEXPECTED, code="unexpected", status=500), 500, "RelMan failed", "tell an administrator"),
    ],
)
def test_a_failure_says_what_is_wrong_and_lets_one_try_again(error, status, title, said):
    code, text = shown(error)
    assert code == status and f"<h1>{title}</h1>" in text
    assert said in text.replace("&#x27;", "'")
    assert 'href="/board/?q=shop"' in text
