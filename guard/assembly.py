"""A guard put together from its ports: the same parts in production, in tests and in benchmarks.

`Receiver` is what a delivery goes through; it needs no database of its own. `Guard` adds what
follows from a decision and what is seen without being told. Whoever assembles chooses the adapters
of the ports, real ones or their twins, and the values of the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from guard.active_policies import ActivePolicies
from guard.case import NOTICE_LANE, SEEN_LANE, SEEN_NOTICE_LANE
from guard.facts.activity import Activity
from guard.facts.actor import ActorFacts
from guard.facts.business_unit import BusinessUnitFacts
from guard.facts.gather import Gatherer
from guard.facts.history import HistoryFacts
from guard.facts.owner import AddressOwnerFacts, OwnerFacts
from guard.facts.steward import StewardFacts
from guard.facts.users import Users
from guard.identity import OwnIdentity
from guard.intake import Intake
from guard.judge import Judge
from guard.ledger.port import Ledger
from guard.notices.text import Places
from guard.obligations.notify import Notify
from guard.obligations.obligation import Means
from guard.obligations.table import TELLING, handlers, owed_by
from guard.obligations.tell_by_mail import TellByMail
from guard.obligations.tell_team import TellTeam
from guard.ports.directory import Directory
from guard.ports.metrics import GuardMetrics
from guard.ports.notifier import MemoryNotifier, Notifier
from guard.ports.rows import Rows
from guard.read_back import ReadBack
from guard.record import ENFORCE, HOLD_HOURS, OBSERVE, DecisionRecorder
from guard.told import ToldRows
from guard.watch.drift import DriftWatch
from guard.watch.forgotten import ForgottenWrites
from guard.watch.reconcile import Reconciler
from guard.watch.scan import Scanner
from guard.watch.told_reader import ToldReader
from guard.webhook import Readiness, Webhook, always_ready
from guard.webhook_keys import WebhookKeys
from kernel.clock import Clock
from kernel.database import Database
from kernel.workers import Handler, Workers

# Nobody waits for the watch: what it looks up may be repeated and take its time.
PATIENT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Values:
    """The settings of a guard, read.

    `webhook_keys` are those that are accepted; with none nothing is. `deadline_seconds` bounds the
    look-ups of one decision, `reconcile_seconds` is how often the watch goes round.
    `evidence_max_age_seconds` is how old the look-up of evidence may be.
    `delegated_role_id` is the security role Delegated Mailbox Approver, None when there is none.
    `notifies` says that people are told why their change was refused, `tells_team` that the team is
    told of it, `mails` that people get a mail too; `places` where notices lead.
    `hold_hours` is how long what is held waits for an approver.
    """

    webhook_keys: Sequence[str] = ()
    enforcement: str = ENFORCE
    deadline_seconds: float = 5.0
    reconcile_seconds: float = 60.0
    evidence_max_age_seconds: float = 3600.0
    delegated_role_id: str | None = None
    notifies: bool = False
    tells_team: bool = False
    mails: bool = False
    places: Places = field(default_factory=Places)
    hold_hours: float = HOLD_HOURS


@dataclass(frozen=True, slots=True)
class Sources:
    """Where facts are looked up, and who gives notices to people."""

    rows: Rows
    directory: Directory
    notifier: Notifier = field(default_factory=MemoryNotifier)
    team: Notifier = field(default_factory=MemoryNotifier)
    mail: Notifier = field(default_factory=MemoryNotifier)


@dataclass(frozen=True, slots=True)
class Receiver:
    """What turns a delivery into an answer; `identity` is filled in once it is known.

    `told` are the rows that it was told of and that have to be read.
    """

    ledger: Ledger
    identity: OwnIdentity
    judge: Judge
    recorder: DecisionRecorder
    read_back: ReadBack
    told: ToldRows
    intake: Intake
    webhook: Webhook


@dataclass(frozen=True, slots=True)
class Guard:
    """A receiver, the obligations of its decisions, and the watch over what it wasn't told.

    `workers` carry out what deliveries cause, with `means`; `seen_workers` what the guard saw
    itself, each without waiting for the other. `notice_workers` tell people of both.
    """

    receiver: Receiver
    means: Means
    workers: Workers
    seen_workers: Workers
    notice_workers: tuple[Workers, ...]
    told_reader: ToldReader
    reconciler: Reconciler
    drift: DriftWatch
    forgotten: ForgottenWrites
    scanner: Scanner


def assemble_receiver(
    sources: Sources,
    ledger: Ledger,
    policies: ActivePolicies,
    identity: OwnIdentity,
    clock: Clock,
    metrics: GuardMetrics,
    values: Values,
    *,
    readiness: Readiness = always_ready,
) -> Receiver:
    """Return a receiver; `sources` should give up within the deadline, as somebody waits."""
    deadline = values.deadline_seconds
    judge = _judge(sources, ledger, policies, identity, clock, values, deadline_seconds=deadline)
    told = ToldRows()
    recorder = DecisionRecorder(
        ledger,
        clock,
        metrics,
        owed_by=partial(owed_by, without=_switched_off(values)),
        told=told,
        enforcement=values.enforcement,
        hold_hours=values.hold_hours,
    )
    read_back = ReadBack(sources.rows, ledger, judge, recorder, deadline_seconds=deadline)
    intake = Intake(recorder, judge, ledger, identity, read_back, told)
    webhook = Webhook(
        WebhookKeys(values.webhook_keys),
        intake,
        metrics,
        readiness=readiness,
        observes=values.enforcement == OBSERVE,
    )
    return Receiver(ledger, identity, judge, recorder, read_back, told, intake, webhook)


def assemble_guard(
    receiver: Receiver,
    sources: Sources,
    database: Database,
    policies: ActivePolicies,
    clock: Clock,
    metrics: GuardMetrics,
    values: Values,
    *,
    common: Sources | None = None,
    around: Callable[[Mapping[str, Handler]], Mapping[str, Handler]] = dict,
) -> Guard:
    """Return the whole guard around a receiver; `sources` may be slower than the receiver's.

    What the guard does by itself asks `sources`, whatever deliveries ask for meanwhile. What they
    owe is asked of `common`, if given, and so is evidence: whoever has the webhook key can have any
    amount of it asked, and takes nothing from the former. `around` wraps what carries tasks out.
    """
    ledger, identity, recorder = receiver.ledger, receiver.identity, receiver.recorder

    def means_of(asked: Sources) -> Means:
        judge = _judge(
            asked, ledger, policies, identity, clock, values,
            deadline_seconds=values.deadline_seconds,
        )  # fmt: skip
        return Means(
            database=database,
            rows=asked.rows,
            directory=asked.directory,
            ledger=ledger,
            judge=judge,
            recorder=recorder,
            read_back=receiver.read_back,
            identity=identity,
            metrics=metrics,
            notifier=asked.notifier,
            team=asked.team,
            mail=asked.mail,
            places=values.places,
        )

    common = common or sources
    means, seen = means_of(common), means_of(sources)
    rows = sources.rows
    carried_out = around(handlers(means))
    telling = {kind: carried_out[kind] for kind in TELLING}
    return Guard(
        receiver=receiver,
        means=means,
        workers=Workers(database, clock, carried_out),
        seen_workers=Workers(database, clock, around(handlers(seen)), lane=SEEN_LANE),
        notice_workers=tuple(
            Workers(database, clock, telling, lane=lane) for lane in (NOTICE_LANE, SEEN_NOTICE_LANE)
        ),
        told_reader=ToldReader(database, common.rows, ledger, recorder, receiver.told),
        reconciler=Reconciler(database, rows, ledger, seen.judge, recorder, metrics),
        drift=assemble_drift(common, ledger, policies, identity, clock, database, metrics, values),
        forgotten=ForgottenWrites(database, rows, ledger, identity, clock, metrics),
        scanner=Scanner(
            database, rows, ledger, seen.users, sources.directory, seen.judge, recorder, identity
        ),
    )


def assemble_drift(
    sources: Sources,
    ledger: Ledger,
    policies: ActivePolicies,
    identity: OwnIdentity,
    clock: Clock,
    database: Database,
    metrics: GuardMetrics,
    values: Values,
) -> DriftWatch:
    """Return the watch on evidence alone: a process that only syncs needs no more of the guard."""
    patient_judge = _judge(
        sources, ledger, policies, identity, clock, values, deadline_seconds=PATIENT_SECONDS
    )
    return DriftWatch(
        database,
        sources.rows,
        sources.directory,
        patient_judge,
        clock,
        metrics,
        round_seconds=values.reconcile_seconds,
        evidence_max_age_seconds=values.evidence_max_age_seconds,
    )


def _switched_off(values: Values) -> tuple[str, ...]:
    channels = {
        Notify.kind: values.notifies,
        TellTeam.kind: values.tells_team,
        TellByMail.kind: values.mails,
    }
    return tuple(kind for kind, is_on in channels.items() if not is_on)


def _judge(
    sources: Sources,
    ledger: Ledger,
    policies: ActivePolicies,
    identity: OwnIdentity,
    clock: Clock,
    values: Values,
    *,
    deadline_seconds: float,
) -> Judge:
    rows, directory = sources.rows, sources.directory
    users = Users(rows, ledger.mirrored)
    gatherer = Gatherer(
        ActorFacts(users, rows, directory, identity, values.delegated_role_id),
        OwnerFacts(users, directory),
        AddressOwnerFacts(directory),
        HistoryFacts(ledger, directory, clock),
        Activity(ledger, clock),
        StewardFacts(rows, directory, ledger.mirrored),
        BusinessUnitFacts(rows),
        deadline_seconds=deadline_seconds,
    )
    return Judge(policies, gatherer, ledger)
