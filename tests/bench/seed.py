"""Rows for benchmarks, copied in by the database itself: the verbs would take hours."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection
from django.db.models import Model
from psycopg import sql

from phases.models import Application, Environment, Phase, Pipeline, Role, RoleRight, User
from phases.permissions import ROLES, grant
from releases.models import Promotion, Release, Step
from relman.actors import Actor

PHASES = (("dev", "Dev"), ("qa", "QA"), ("stage", "Stage"), ("live", "Live"))


@dataclass(frozen=True)
class Size:
    """How much there is. Promotions are spread over all environments."""

    applications: int = 200
    releases: int = 10_000
    promotions: int = 50_000
    pipelines: int = 5


def fill(size: Size) -> User:
    """Copy everything in; answers a release manager who sees all pipelines."""
    _know_defaults(Application, Environment, Release, Promotion, Step)
    manager = User.objects.create_user("bench", password=None, name="Robin Bench")
    giver = User.objects.create_superuser("giver", password=None)
    for number in range(size.pipelines):
        _pipeline(number, manager, giver)
    with connection.cursor() as cursor:
        for statement in STATEMENTS:
            cursor.execute(
                statement,
                {
                    "applications": size.applications,
                    "each": size.releases // size.applications,
                    "rounds": size.promotions // (size.applications * len(PHASES)),
                    "manager": manager.pk,
                },
            )
        cursor.execute("ANALYZE")
    return manager


def _know_defaults(*models: type[Model]) -> None:
    """Django keeps defaults to itself: tell the tables, so that a row need not name what it says nothing about."""
    with connection.cursor() as cursor:
        for model in models:
            for field in model._meta.concrete_fields:
                if field.has_db_default():
                    continue  # the table knows it already
                default = field.get_db_prep_save(field.get_default(), connection)
                if default is not None and not field.primary_key:
                    words = sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}")
                    names = sql.Identifier(model._meta.db_table), sql.Identifier(str(field.column))
                    cursor.execute(words.format(*names, sql.Literal(default)))


def _pipeline(number: int, manager: User, giver: User) -> None:
    pipeline = Pipeline.objects.create(slug=f"team-{number}", name=f"Team {number}")
    by = Actor(giver, "system")
    for position, (slug, name) in enumerate(PHASES, 1):
        phase = Phase.objects.create(pipeline=pipeline, slug=slug, name=name, position=position)
        for key in ("release-manager", "business-owner"):
            role, _ = Role.objects.get_or_create(slug=key, defaults={"name": ROLES[key].name})
            rights = [right for right, where in ROLES[key].rights.items() if slug in where]
            RoleRight.objects.bulk_create(RoleRight(role=role, phase=phase, right=right) for right in rights)
            grant(role, phase, actor=by, user=manager)


STATEMENTS = (
    """
    INSERT INTO phases_application (slug, name, description, pipeline_id, repository, version_scheme, created_at)
    SELECT 'app-' || n, 'Application ' || lpad(n::text, 4, '0'), '',
           (SELECT array_agg(id ORDER BY id) FROM phases_pipeline)
               [1 + n %% (SELECT count(*)::int FROM phases_pipeline)],
           '', 'semver', now()
    FROM generate_series(1, %(applications)s) AS n
    """,
    """
    INSERT INTO phases_environment (application_id, phase_id, driver, settings, instances, epoch, health,
                                    health_detail, observed, drift, doubt, findings, checked_at, created_at)
    SELECT a.id, p.id, 'scripted', '{}', 1, 0, 'healthy', '', '{}', '{}', '{}', '[]', now(), now()
    FROM phases_application a JOIN phases_phase p ON p.pipeline_id = a.pipeline_id
    """,
    """
    INSERT INTO releases_release (application_id, version, precedence, channel, commit, notes, author, published_at,
                                  manifest, withdrawn, withdrawn_reason)
    SELECT a.id, '1.' || n || '.0',
           lpad('1', 20, '0') || '.' || lpad(n::text, 20, '0') || '.' || repeat('0', 20) || '~',
           'stable', '', '', '', now() - make_interval(hours => 24 * (%(each)s - n)),
           '{"configuration": {"required": ["GREETING", "DATABASE_URL"]}}', '', ''
    FROM phases_application a, generate_series(1, %(each)s) AS n
    """,
    """
    INSERT INTO phases_variable (environment_id, key, value, secret, ciphertext, fingerprint, version, updated_at)
    SELECT e.id, k, 'x', false, '', '', 1, now()
    FROM phases_environment e, unnest(ARRAY['GREETING', 'DATABASE_URL', 'C', 'D', 'E', 'F']) AS k
    """,
    # The newest round of a phase brings a release that lags behind the phase before by one every second time.
    """
    INSERT INTO releases_promotion (environment_id, release_id, kind, status, reason, comment, requested_by_id,
        requested_at, allow_lower, snapshot, plan, target, rules, rules_read, seal, digest, snapshot_of, epoch,
        lease_owner, abort_reason, "left", cleanup, takeovers, started_at, finished_at, revision, emergency_reason)
    SELECT e.id, r.id, 'deploy',
           CASE WHEN n %% 10 = 3 THEN 'failed' WHEN n %% 10 = 6 THEN 'superseded' ELSE 'succeeded' END,
           '', '', %(manager)s, t, false, '{"GREETING": {"value": "hello"}}',
           '[]', '{}', '[]', '[]', 'seal', 'digest', 'today', 0, '', '', '{}', 'done', 0,
           t, t + interval '90 seconds', 1, ''
    FROM phases_environment e
    JOIN phases_phase p ON p.id = e.phase_id
    CROSS JOIN generate_series(1, %(rounds)s) AS n
    CROSS JOIN LATERAL (SELECT now() - make_interval(hours => 6 * (%(rounds)s - n) + 5 - p.position) AS t) AS at
    JOIN releases_release r ON r.application_id = e.application_id
     AND r.version = '1.' || greatest(1, ceil(n::numeric * %(each)s / %(rounds)s)::int
                                          - CASE WHEN e.application_id %% 2 = 0 THEN p.position ELSE 1 END) || '.0'
    """,
    # Every fifth application has something open in its last phase: waiting for an approval, or running.
    """
    INSERT INTO releases_promotion (environment_id, release_id, kind, status, reason, comment, requested_by_id,
        requested_at, allow_lower, snapshot, plan, target, rules, rules_read, seal, digest, snapshot_of, epoch,
        lease_owner, abort_reason, "left", cleanup, takeovers, started_at, finished_at, revision, emergency_reason)
    SELECT e.id, r.id, 'deploy', CASE WHEN e.application_id %% 10 = 0 THEN 'running' ELSE 'waiting' END,
           '', '', NULL, now(), false, '{}', '[]', '{}',
           jsonb_build_array(jsonb_build_object('name', 'business', 'role', 'Business owner', 'count', 1,
               'allow_requester', false, 'allow_author', false, 'role_id',
               (SELECT id FROM phases_role WHERE slug = 'business-owner'))),
           '[]', 'seal', 'digest', 'today', 0, '', '', '{}', 'none', 0,
           CASE WHEN e.application_id %% 10 = 0 THEN now() END, NULL, 1, ''
    FROM phases_environment e
    JOIN phases_phase p ON p.id = e.phase_id AND p.slug = 'live'
    JOIN releases_release r ON r.application_id = e.application_id AND r.version = '1.' || %(each)s || '.0'
    WHERE e.application_id %% 5 = 0
    """,
    """
    INSERT INTO releases_step (promotion_id, number, kind, name, "when", resume, timeout, max_attempts, parameters,
                               status, attempts, detail)
    SELECT id, n, 'note', 'Step ' || n, 'run', 'idempotent', 60, 3, '{}',
           CASE WHEN n = 1 THEN 'succeeded' ELSE 'pending' END, 0, ''
    FROM releases_promotion, generate_series(1, 6) AS n WHERE status = 'running'
    """,
)
