"""The sample applications pack to the same bytes, pass the archive check, and really run on the local target."""

from __future__ import annotations

import hashlib
import json
import urllib.parse
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from phases.drivers.archive import inspect_archive
from phases.drivers.base import Context, Package, Succeeded
from samples.build import SAMPLES, build
from tests.phases.drivers.conftest import Installation, fetch

SETTINGS = {"GREETING": "Hello <you>", "PROVIDER": "Bank", "API_KEY": "abcdef"}


def packed(sample: str, version: str, folder: Path, *, broken: bool = False) -> Package:
    path = build(sample, version, folder, broken=broken)
    return Package(
        version, path, hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size, inspect_archive(path)
    )


def deployed(local: Installation, package: Package, promotion: int = 1) -> Context:
    return local.context(local.target(), package, promotion, configuration=SETTINGS)


def test_the_same_version_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    first, again = packed("storefront", "1.0.0", tmp_path / "a"), packed("storefront", "1.0.0", tmp_path / "b")
    assert first.digest == again.digest != packed("storefront", "1.0.1", tmp_path).digest
    assert packed("storefront", "1.0.0", tmp_path, broken=True).digest != first.digest
    with pytest.raises(ValueError, match="Samples: storefront"):
        build("other", "1", tmp_path)


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_shows_version_phase_and_configuration(sample: str, local: Installation, tmp_path: Path) -> None:
    context = deployed(local, packed(sample, "2.3.4", tmp_path))
    assert isinstance(local.driver.run("unpack", context), Succeeded)
    if "migrate" in context.artifact.manifest:
        assert isinstance(local.driver.run("migrate", replace(context, step=2)), Succeeded)
    address = local.deploy(context)[0]
    probe = local.probe(context)
    assert (probe.healthy, probe.version) == (True, "2.3.4")
    page = fetch(address)
    assert "2.3.4" in page and "QA" in page
    assert "http://" not in page and "https://" not in page
    assert "<you>" not in page and "abcdef" not in page


def test_payments_keeps_its_data_from_release_to_release(local: Installation, tmp_path: Path) -> None:
    context = deployed(local, packed("payments", "1.0.0", tmp_path))
    for promotion, version in ((1, "1.0.0"), (2, "1.1.0")):
        context = replace(context, promotion=promotion, epoch=promotion, package=packed("payments", version, tmp_path))
        local.driver.run("unpack", context)
        assert isinstance(local.driver.run("migrate", replace(context, step=2)), Succeeded)
        address = local.deploy(context)[0]
        local.probe(context)
        form = urllib.parse.urlencode({"payer": "Ann <b>", "amount": "12.50"}).encode()
        with urllib.request.urlopen(f"http://{address}/pay", data=form, timeout=5) as answer:
            assert "Ann &lt;b&gt;" in answer.read().decode()
    assert json.loads(fetch(address, "/api/total")) == {"cents": 2500}


def test_a_version_that_is_broken_on_purpose(local: Installation, tmp_path: Path) -> None:
    context = deployed(local, packed("catalogue", "3.0.0", tmp_path, broken=True))
    local.deploy(context)
    probe = local.probe(context, seconds=1)
    assert (probe.healthy, probe.exited) == (False, False)
    assert probe.sentence == "/healthz answered 503; it must answer 2xx."


def test_the_catalogue_can_be_searched(local: Installation, tmp_path: Path) -> None:
    context = deployed(local, packed("catalogue", "1.0.0", tmp_path))
    address = local.deploy(context)[0]
    local.probe(context)
    assert [plant["common"] for plant in json.loads(fetch(address, "/api/plants?q=salvia"))["plants"]] == ["Sage"]
    assert "1 plant<" in fetch(address, "/?q=salvia")
