"""The sample applications pack to the same bytes, pass the archive check, and really run on the local target."""

from __future__ import annotations

import hashlib
import json
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from phases.drivers.archive import inspect_archive
from phases.drivers.base import Context, Package, Succeeded
from samples.build import SAMPLES, build
from tests.phases.drivers.conftest import Installation, fetch

SETTINGS = {"GREETING": "Hello <you>", "BANK": "Sample bank", "BANK_KEY": "abcdef", "PAYMENT_KEY": "abcdef"}


def packed(sample: str, version: str, folder: Path, **facts: str) -> Package:
    path = build(sample, version, folder / f"{sample}-{version}.tar.gz", **facts)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Package(version, path, digest, path.stat().st_size, inspect_archive(path))


def deployed(local: Installation, package: Package, **settings: str) -> Context:
    return local.context(local.target(), package, configuration={**SETTINGS, **settings})


def started(local: Installation, context: Context) -> str:
    assert isinstance(local.driver.run("unpack", context), Succeeded)
    if "migrate" in context.artifact.manifest:
        assert isinstance(local.driver.run("migrate", replace(context, step=2)), Succeeded)
    return local.deploy(context)[0]


def test_the_same_version_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    first, again = (packed("storefront", "1.0.0", tmp_path) for _ in range(2))
    assert first.digest == again.digest != packed("storefront", "1.0.1", tmp_path).digest
    assert packed("storefront", "1.0.0", tmp_path, broken="on purpose").digest != first.digest
    with pytest.raises(ValueError, match="Samples: storefront"):
        build("other", "1", tmp_path / "x")


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_shows_version_phase_and_configuration(sample: str, local: Installation, tmp_path: Path) -> None:
    context = deployed(local, packed(sample, "2.3.4", tmp_path))
    address = started(local, context)
    probe = local.probe(context)
    assert (probe.healthy, probe.version) == (True, "2.3.4")
    page = fetch(address)
    assert "2.3.4" in page and "QA" in page
    assert "http://" not in page and "https://" not in page
    assert "<you>" not in page and "abcdef" not in page


def test_the_catalogue_keeps_its_data_from_release_to_release(local: Installation, tmp_path: Path) -> None:
    context = deployed(local, packed("catalogue", "1.0.0", tmp_path))
    said: list[str] = []
    for promotion, version in ((1, "1.0.0"), (2, "1.1.0")):
        package = packed("catalogue", version, tmp_path)
        context = replace(context, promotion=promotion, epoch=promotion, package=package, log=said.append)
        address = started(local, context)
        assert local.probe(context).healthy
    assert said[0] == "The database catalogue.sqlite3 is at step 0 of 3."
    assert said[-2:] == ["The database catalogue.sqlite3 is at step 3 of 3.", "Done: step 3."]
    found = json.loads(fetch(address, "/api/products?q=pen"))["products"]
    assert [product["name"] for product in found] == ["Brass pen", "Pencil tray"]
    assert "0 products" in fetch(address, "/?q=%25")


def test_payments_take_a_payment(local: Installation, tmp_path: Path) -> None:
    context = deployed(local, packed("payments", "1.0.0", tmp_path))
    address = started(local, context)
    local.probe(context)
    form = urllib.parse.urlencode({"payer": "Ann <b>", "amount": "12.50"}).encode()
    with urllib.request.urlopen(f"http://{address}/pay", data=form, timeout=30) as answer:
        page = answer.read().decode()
    assert "Ann &lt;b&gt;" in page and "12.50" in page


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"broken": "on purpose"}, "/healthz answered 503; it must answer 2xx."),
        ({"needs": "MISSING"}, "/healthz answered 503; it must answer 2xx."),
    ],
)
def test_a_version_that_is_not_healthy(
    local: Installation,
    tmp_path: Path,
    wait: Callable[[Callable[[], object]], None],
    facts: dict[str, str],
    sentence: str,
) -> None:
    context = deployed(local, packed("payments", "3.0.0", tmp_path, **facts))
    started(local, context)
    wait(lambda: "answered" in local.probe(context, seconds=0).sentence)
    probe = local.probe(context, seconds=0)
    assert (probe.healthy, probe.exited, probe.sentence) == (False, False, sentence)


def test_a_version_that_needs_a_setting_is_healthy_where_it_is_set(local: Installation, tmp_path: Path) -> None:
    context = deployed(local, packed("payments", "3.0.0", tmp_path, needs="BANK_KEY"))
    started(local, context)
    assert local.probe(context).healthy
