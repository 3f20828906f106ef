"""The engine's own step kinds: verify, switch, and putting the route back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from phases import gateway
from phases.drivers.base import (
    Again,
    Context,
    Driver,
    Expected,
    Failed,
    Fenced,
    Instance,
    Probe,
    Result,
    Skipped,
    Succeeded,
    Transient,
)
from phases.drivers.settings import VERIFY
from releases import reality
from releases.models import Promotion
from releases.queries.lookups import live_of
from releases.queries.masks import masker_of

LAST_WORDS = 30
"""Lines of the application's own log that a failed verification shows."""


def verify(promotion: Promotion, driver: Driver, context: Context) -> Result:
    """Every new instance passes its health check N times in a row within the limit, and says the right version."""
    rule = context.parameters
    # A plan may have been frozen before anybody judged how long one may wait.
    within, interval = (min(float(rule[name]), VERIFY[name][1]) for name in ("within", "interval"))
    end = time.monotonic() + within
    passed, last = 0, "It did not answer."
    while passed < int(rule["passes"]):
        if context.stop():
            return Again(0.0, "Stopped.")
        good, last, final = look(promotion, driver, context)
        if final:
            return unhealthy(promotion, driver, context, last)
        passed = passed + 1 if good else 0
        context.log(f"Health check: {last}" if not good else f"Health check {passed} of {rule['passes']}: {last}")
        if time.monotonic() > end:
            return unhealthy(promotion, driver, context, f"It did not get healthy within {within:.0f} s. {last}")
        if passed < int(rule["passes"]):
            _pause(interval, context)
    # Kept before anything moves: whoever takes over in the middle of the switch must still know the way back.
    return Succeeded(last, left={"upstreams_before": gateway.upstreams(promotion.environment_id)})


def _pause(seconds: float, context: Context) -> None:
    """Wait until the next look, or until somebody asks to stop."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not context.stop():
        time.sleep(min(left, 0.5))


def unhealthy(promotion: Promotion, driver: Driver, context: Context, reason: str) -> Failed:
    """The end of a verification, with what this promotion's own instances said last, and not what serves meanwhile."""
    masker = masker_of(promotion.environment)
    for line in driver.log(context.target, LAST_WORDS, promotion.pk):
        context.log(f"│ {masker.mask(line)}")
    return Failed(reason)


def look(promotion: Promotion, driver: Driver, context: Context) -> tuple[bool, str, bool]:
    """One look at all new instances: all good, a sentence, and whether waiting longer is useless."""
    mine = [one for one in driver.instances(context.target) if one.promotion == promotion.pk]
    if not mine:
        return False, "No instance of it runs.", True
    manifest = context.package.manifest if context.package else {}
    for instance in mine:
        probe = driver.inspect(context.target, instance, manifest, 5.0)
        good, sentence = judge(probe, promotion.release.version, instance)
        if not good:
            return False, sentence, probe.exited
    return True, f"{len(mine)} of {len(mine)} healthy, version {promotion.release.version}.", False


def judge(probe: Probe, version: str, instance: Instance) -> tuple[bool, str]:
    """Healthy, and, where it reports a version, the one just brought."""
    if probe.exited:
        return False, f"{instance.name} ended by itself. {probe.sentence}"
    if not probe.healthy:
        return False, f"{instance.name} is not healthy: {probe.sentence}"
    if probe.version is not None and probe.version != version:
        return False, f"{instance.name} reports version {probe.version[:100]}, not {version}."
    return True, probe.sentence


def switch(promotion: Promotion, driver: Driver, context: Context) -> Result:
    """Move the traffic, and look at the new version through the gateway."""
    upstreams = list(context.left.get("upstreams", ()))
    if not upstreams:
        return Skipped("There is nothing to route.")
    environment = promotion.environment
    before = context.left.get("upstreams_before")
    if before is None:
        before = gateway.upstreams(environment.pk)
    move(environment.pk, upstreams, context)
    route = gateway.Route(environment.pk, environment.host, environment.phase.public)
    seen = gateway.check(route)
    kept = {"upstreams_before": [] if before == upstreams else before}
    if seen.gateway or seen.status is None:
        raise Transient(f"The gateway does not serve {environment.host} yet: {seen.sentence}")
    if not seen.good:
        return Failed(f"Through the gateway: {seen.sentence}", left=kept)
    return Succeeded(f"{environment.host} now serves {promotion.release.version}.", left=kept)


def move(environment: int, upstreams: Sequence[str], context: Context) -> None:
    """Switch the route, fenced by the epoch like every other effect."""
    try:
        gateway.switch(environment, upstreams, epoch=context.epoch)
    except gateway.Stale as error:
        raise Fenced(str(error)) from error


def restore(promotion: Promotion, driver: Driver, context: Context) -> Result:
    """Put the route back when it points at what failed."""
    mine, before = list(context.left.get("upstreams", ())), list(context.left.get("upstreams_before", ()))
    if not mine or gateway.upstreams(promotion.environment_id) != mine:
        return Skipped("The route was not moved.")
    move(promotion.environment_id, before, context)
    return Succeeded("The route points at the version before again." if before else "The route is closed again.")


def observe(promotion: Promotion, driver: Driver, context: Context) -> Result:
    """What is to be accepted as the record is what runs, or nothing is accepted."""
    live = live_of(promotion.environment)
    owner = promotion.pk if context.parameters.get("taken") or live is None else live.pk
    version, artifact = promotion.release.version, context.artifact
    wanted = context.target.instances
    seen = driver.observe(context.target, Expected(owner, version, artifact.digest, wanted, artifact.manifest), 10.0)
    against = reality.confirms(seen, reality.Build(version, artifact.digest), wanted)
    if against:
        return Failed(f"What runs is not {version} as it was published: {against}")
    facts = {"version": seen.version, "digest": seen.digest, "running": seen.running, "restarts": seen.restarts}
    return Succeeded(f"{seen.running} of {wanted} run, and are {version}. {seen.sentence}", left={"observed": facts})


KINDS: Mapping[str, Callable[[Promotion, Driver, Context], Result]] = {
    "verify": verify,
    "switch": switch,
    "restore": restore,
    "observe": observe,
}
