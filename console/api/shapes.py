"""What the API takes and gives, for its description: the names are those of docs/contract.md.

What is given is made by the rooms that know it, and is not made anew here: these classes describe
it, and a test holds every answer against them. More fields may come; none goes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from console.cursors import LONGEST

MOST_ON_A_PAGE: Final = 200
T = TypeVar("T")

# Control characters stand in no name, address or id, and PostgreSQL takes no NUL.
Line = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Reason = Annotated[
    str, StringConstraints(min_length=3, max_length=1000, pattern=r"[^\s\x00-\x1f\x7f]")
]
Outcome4 = Literal["allow", "warn", "hold", "reject"]


class _Given(BaseModel):
    """Something that is given: further fields may come."""

    model_config = ConfigDict(extra="allow")


class _Taken(BaseModel):
    """Something that is taken: what nobody asked for is a mistake."""

    model_config = ConfigDict(extra="forbid")


class ProblemGiven(_Given):
    """An error, as RFC 9457 has it."""

    type: str = Field(description="`about:blank`, or `urn:mailbox-guard:` and the code.")
    title: str
    status: int
    detail: str
    code: str | None = Field(None, description="What programs decide by; docs/errors.md has all.")
    hint: str | None = Field(None, description="The mend.")
    problems: list[dict[str, str]] | None = Field(None, description="Each with `at` and `detail`.")


class ListPage(_Given, Generic[T]):
    """A part of a list. Further ones are asked for with `next` as `cursor`."""

    items: list[T]
    next: str | None = Field(description="The cursor of the next page; null at the end.")


class PersonGiven(_Given):
    """Somebody in Dataverse, as far as they are known."""

    id: str | None
    name: str | None
    upn: str | None


class ObligationGiven(_Given):
    """What a decision owes, and what became of it."""

    kind: str
    state: str
    cause: str | None
    result: str | None
    hint: str | None


class DecisionGiven(_Given):
    """A decision as it is listed."""

    id: str
    decided_at: str | None
    decision: str
    cause: str | None
    table: str | None
    record_id: str | None
    operation: str | None
    mode: int | None
    stage: int | None
    correlation_id: str | None
    initiating_user_id: str | None
    on_behalf_by: str | None
    policy_set: str | None
    enforcement: str | None
    confirms: str | None
    hold_id: str | None
    actor: PersonGiven
    address: dict[str, Any]
    approval: dict[str, Any]
    altered: list[str]
    rules: list[str]
    obligations: list[ObligationGiven]


class DecisionWhole(DecisionGiven):
    """A decision with what it was made on; the private part is null when it was masked."""

    status: int
    chain: dict[str, Any]
    masked: bool
    private: dict[str, Any] | None
    names: dict[str, str] = Field(description="Ids in it, with the names that are known of them.")
    confirmed_by: str | None


class Answered(_Given):
    """An answer and the rules that made it."""

    decision: str
    rules: list[str]


class Replay(_Given):
    """What was recorded, and what comes out now."""

    id: str
    same: bool
    policy_set: str
    recorded: Answered
    decided: Answered


class TraceGiven(_Given):
    """One condition: its words, what it saw, how it answered, and where it stands."""

    words: str
    values: list[str]
    answer: Literal["yes", "no", "error"]
    file: str
    line: int
    column: int
    items: list[TraceGiven] = Field(default_factory=list)


class RuleGiven(_Given):
    """One rule as it went."""

    id: str
    result: str
    effect: str
    severity: str
    contributes: str
    file: str
    line: int
    message: str | None
    help: str | None
    error: str | None
    exception: str | None
    when: list[TraceGiven]
    require: list[TraceGiven]
    unless: list[TraceGiven]
    exceptions: list[dict[str, Any]]


class PolicyGiven(_Given):
    """One policy of the table and operation; without rules where it did not match."""

    policy: str
    mode: str
    matched: Literal["yes", "no", "error"]
    match: list[TraceGiven]
    rules: list[RuleGiven]


class ExplanationGiven(_Given):
    """Why a change is decided as it is."""

    decision: str
    cause: str
    table: str
    record_id: str
    operation: str
    now: str
    policy_set: str
    policies: list[PolicyGiven]


class TrialGiven(ExplanationGiven):
    """What would be decided, and which facts the rules would have needed besides."""

    not_given: list[str]


class DraftFile(_Given):
    """A file for a person to finish and to put into the policy folder."""

    file: str
    text: str


class Drafts(_Given):
    """Files that are drafted; none when no rule refused the change."""

    decision_id: str
    files: list[DraftFile]


class HeldPerson(PersonGiven):
    """Somebody who asked, and who they are in Entra."""

    object_id: str | None


class HoldGiven(_Given):
    """A change that rules hold until a second person agrees."""

    id: str
    state: str
    release: str
    table: str
    record_id: str
    operation: str
    requester: HeldPerson
    on_behalf_by: HeldPerson | None
    address: dict[str, Any]
    approval: dict[str, Any]
    altered: list[str]
    rules: list[str]
    decision_id: str
    asked: int
    opened_at: str
    asked_at: str
    ends_at: str
    answered_at: str | None
    answered_by: str | None
    reason: str | None
    usable_until: str | None


class HoldWhole(HoldGiven):
    """A hold with its evidence."""

    before: dict[str, Any]
    after: dict[str, Any]
    findings: list[dict[str, Any]]
    facts: list[dict[str, Any]]
    evidence: dict[str, Any]
    masked: bool
    history: list[DecisionGiven]


class MailboxGiven(_Given):
    """A mailbox that was ever approved, or refused with a reason."""

    id: str
    address: str
    object_id: str
    owner: str | None
    approved: bool
    epoch: int
    state: str
    reason: str
    fresh_as_of: str | None
    next_at: str | None


class MailboxWhole(MailboxGiven):
    """A mailbox with its evidence, tasks and newest accesses."""

    evidence: dict[str, Any] | None
    tasks: list[dict[str, Any]]
    quarantine: list[dict[str, Any]]
    access: list[dict[str, Any]]


class AccessGiven(_Given):
    """One answer that held items of a mailbox."""

    id: int
    at: str
    operation: str
    workload: str
    items: int
    epoch: int
    reason: str


class StopGiven(_Given):
    """One thing that a brake keeps from being done."""

    brake: str
    table: str
    subject: str
    mailbox: str | None
    address: str | None
    reason: str
    since: str
    released: bool


class ExceptionGiven(_Given):
    """A written permission to fail rules, and its end."""

    name: str
    policy: str
    rules: list[str]
    expires: str
    ends: str
    days_left: int
    state: Literal["current", "ended", "not-yet"]
    ticket: str
    approved_by: str
    reason: str
    file: str


class RuleInForce(_Given):
    """A rule read out, and how often it fired."""

    id: str
    tables: list[str]
    effect: str
    severity: str
    sentence: str
    when: list[str]
    require: list[str]
    unless: list[str]
    message: str
    help: str | None
    file: str
    line: int
    fired: int
    fired_by_effect: dict[str, int]
    last_fired: str | None


class PolicyInForce(_Given):
    """A policy of the set that decides now."""

    name: str
    title: str
    description: str
    severity: str
    category: str
    contact: str
    mode: str
    on_error: str
    file: str
    line: int
    tables: list[str]
    scope: list[str]
    rules: list[RuleInForce]


class PoliciesInForce(_Given):
    """The set that decides now."""

    policy_set: str
    environment: str | None
    counted_since: str
    policies: list[PolicyInForce]
    never_fired: list[str]
    fired_formerly: list[str]


class Trial(_Taken):
    """A change that nobody made, as policy tests write one."""

    operation: Literal["create", "update", "delete"]
    entity: Line
    record_id: Line | None = None
    old: dict[str, Any] = Field(default_factory=dict, max_length=200)
    new: dict[str, Any] = Field(default_factory=dict, max_length=200)
    actor: dict[str, Any] = Field(default_factory=dict, max_length=50)
    facts: dict[str, Any] = Field(default_factory=dict, max_length=200)
    request: dict[str, Any] = Field(default_factory=dict, max_length=50)
    missing: dict[str, str] = Field(default_factory=dict, max_length=50)
    now: Line | None = None


class DecisionSearch(_Taken):
    """Which decisions are asked for; what is left out leaves none out."""

    since: datetime | None = Field(None, description="Only those since then.")
    until: datetime | None = Field(None, description="Only those before then.")
    decision: Outcome4 | None = Field(None, description="Only those with this answer.")
    actor: Line | None = Field(
        None, description="Only those by this person: a sign-in name, a name, or an id."
    )
    address: Line | None = Field(
        None, description="Only those whose row had this address, before or after."
    )
    table: Line | None = Field(None, description="Only those on this table, by logical name.")
    record: Line | None = Field(
        None, description="Only those on the record with this id, or one that begins so."
    )
    rule: Line | None = Field(
        None, description="Only those to which this policy/rule, or policy, contributed."
    )
    by_edit: bool = Field(
        False, description="An entry for each edit, with `seen`, and not for each decision."
    )
    limit: int = Field(50, ge=1, le=MOST_ON_A_PAGE, description="How many at most.")
    cursor: str | None = Field(
        None, max_length=LONGEST, description="`next` of the page before, with the same search."
    )


class Told(_Taken):
    """Why a person does something; it is recorded with their name."""

    reason: Reason


class DoneGiven(_Given):
    """What was done, by whom."""

    done: bool
    by: str


class SystemGiven(_Given):
    """How the process stands, and what it was told to be."""

    version: str
    readiness: dict[str, Any]
    settings: list[dict[str, Any]]
    you: dict[str, Any]
