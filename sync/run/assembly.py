"""The sync of one process, put together: what the loop and a full pass drive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from kernel.clock import Clock
from kernel.database import Database
from kernel.workers import Handler, Workers
from sync.eligibility.evidence import Evidence, EvidenceAge
from sync.eligibility.port import MailboxRows
from sync.eligibility.review import EligibilityReview
from sync.engine.freshness import Freshness
from sync.engine.intent import task_kind
from sync.engine.judging import ContentPolicies, CurrentPolicies
from sync.engine.leases import Leases
from sync.engine.page_reading import PageReading
from sync.engine.permits import Permits
from sync.engine.stream_pass import StreamPass
from sync.engine.verifying import Verifying
from sync.engine.visits import Visits
from sync.engine.workload import Workload
from sync.engine.writing import Writing
from sync.meter import Meter
from sync.model.plan import IntentKind


@dataclass(frozen=True, slots=True)
class Assembly:
    """Everything that one process needs to sync the mailboxes of the shards it holds.

    `create_kinds`, `verify_kinds` and `supplement_kinds` are the kinds of its tasks, one of each
    for every workload. What is to be supplemented is told by the row, and holds up nothing.
    """

    database: Database
    clock: Clock
    meter: Meter
    leases: Leases
    review: EligibilityReview
    workers: Workers
    freshness: Freshness
    visits: Visits
    create_kinds: tuple[str, ...]
    verify_kinds: tuple[str, ...]
    supplement_kinds: tuple[str, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind of task that a mailbox is not up to date without."""
        return self.create_kinds + self.verify_kinds


def assemble(
    database: Database,
    clock: Clock,
    *,
    workloads: Sequence[Workload[Any]],
    mailbox_rows: MailboxRows,
    holder: str,
    meter: Meter,
    evidence: Evidence,
    policies: CurrentPolicies | None = None,
    approval_max_age_seconds: float = 900.0,
    evidence_max_age_seconds: float = 3600.0,
) -> Assembly:
    """Put the sync of these workloads together.

    `evidence` is where what approvals rest on is looked up again. `policies` gives the policy set
    that judges items; without it each workload judges alone.
    """
    create_kinds = tuple(task_kind(one.name, IntentKind.CREATE) for one in workloads)
    verify_kinds = tuple(task_kind(one.name, IntentKind.VERIFY) for one in workloads)
    supplement_kinds = tuple(task_kind(one.name, IntentKind.SUPPLEMENT) for one in workloads)
    every_kind = create_kinds + verify_kinds + supplement_kinds
    leases = Leases(database, clock, holder=holder, kinds=every_kind)
    review = EligibilityReview(
        database,
        clock,
        mailbox_rows,
        deliveries=frozenset(one.delivery for one in workloads),
        max_age_seconds=approval_max_age_seconds,
    )
    ages = EvidenceAge(database, clock, evidence, max_age_seconds=evidence_max_age_seconds)
    permits = Permits(
        database, clock, leases=leases, review=review, meter=meter, evidence_max_age=ages.max_age
    )
    content_policies = ContentPolicies(clock, policies)
    writing = Writing(
        database,
        clock,
        policies=content_policies,
        leases=leases,
        review=review,
        permits=permits,
        meter=meter,
    )
    verifying = Verifying(database, clock, leases=leases, permits=permits, meter=meter)
    handlers: dict[str, Handler] = {}
    for one in workloads:
        handlers[task_kind(one.name, IntentKind.CREATE)] = partial(writing.create, one)
        handlers[task_kind(one.name, IntentKind.VERIFY)] = partial(verifying.verify, one)
        handlers[task_kind(one.name, IntentKind.SUPPLEMENT)] = partial(writing.supplement, one)
    workers = Workers(database, clock, handlers)
    freshness = Freshness(database, clock)
    stream_pass = StreamPass(
        database,
        clock,
        reading=PageReading(database, clock, policies=content_policies),
        permits=permits,
        review=review,
        leases=leases,
        workers=workers,
        meter=meter,
    )
    visits = Visits(
        database,
        clock,
        workloads=workloads,
        stream_pass=stream_pass,
        review=review,
        evidence=ages,
        leases=leases,
        freshness=freshness,
        meter=meter,
    )
    return Assembly(
        database, clock, meter, leases, review, workers, freshness, visits,
        create_kinds, verify_kinds, supplement_kinds,
    )  # fmt: skip
