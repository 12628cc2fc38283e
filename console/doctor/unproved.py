"""What Microsoft's documentation leaves open, fact by fact: asked where asking changes nothing.

Mailbox Guard relies on none of them; each says what would follow, and what would have to be done to
find out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from cloud.errors import CloudError
from console.doctor.diagnosis import Diagnosis, Severity
from console.doctor.installation import Installation, Prerequisite
from console.doctor.probe import Probe
from guard.columns.table import TABLES

# Whoever has one of these may approve, by the ids of their templates.
APPROVING_ROLES = {
    "62e90394-69f5-4237-9190-012177145e10": "Global Administrator",
    "29232cdf-9323-42fd-ade2-1d097af3e4de": "Exchange Administrator",
}


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A fact that is not documented, what hangs on it, and why it is not simply tried out.

    `unsafe_because` is empty where `doctor` asks.
    """

    code: str
    question: str
    matters: str
    unsafe_because: str = ""


_WRITES = "finding out takes an edit of a real row"
_SYNCHRONOUS = "finding out takes an edit while a synchronous step waits"
_SENDS = "finding out takes a mail that is really sent"
_MAIL = "finding out takes reading a mailbox"
_FAULT = "it shows only when the service itself fails or throttles"

QUESTIONS = (
    OpenQuestion(
        "change-tracking",
        "Is change tracking on for mailboxes, users and queues?",
        "a directory mirror and a cheap reconciliation",
    ),
    OpenQuestion(
        "proxy-case",
        "Does the index of proxy addresses compare without case?",
        "an address in other capitals is asked for in both spellings",
    ),
    OpenQuestion(
        "role-templates",
        "Have the directory roles that may approve the ids that are known for them?",
        "who counts as a qualified approver",
    ),
    OpenQuestion(
        "address-of-user-mailbox",
        "What becomes of a PATCH of the address on a user's mailbox row?",
        "where a revert writes",
        _WRITES,
    ),
    OpenQuestion(
        "approval-with-address",
        "Does a PATCH with address and approval keep the approval?",
        "a bypass in one request, which the policies forbid anyway",
        _WRITES,
    ),
    OpenQuestion(
        "application-approves",
        "May an application user set an address to Rejected?",
        "whether a revert needs a person; its task then says so",
        _WRITES,
    ),
    OpenQuestion(
        "state-and-owner-steps",
        "Do the filters `statecode` and `ownerid` call a step on mailbox?",
        "reconciliation finds what they miss",
        _WRITES,
    ),
    OpenQuestion(
        "nested-deliveries",
        "Do updates inside the platform call steps again, and with which depth?",
        "each is decided by what it holds, never by its depth",
        _WRITES,
    ),
    OpenQuestion(
        "read-in-transaction",
        "Does a read inside a synchronous step show the old value, or block?",
        "no row of the running transaction is read",
        _SYNCHRONOUS,
    ),
    OpenQuestion(
        "bypass-headers",
        "Do the bypass headers skip webhook steps, and which privilege do they take?",
        "own writes are known by tag, user and values together",
        _WRITES,
    ),
    OpenQuestion(
        "error-status",
        "Which HTTP status does a caller get whose edit a webhook rejects?",
        "the error code is what is told of it",
        _SYNCHRONOUS,
    ),
    OpenQuestion(
        "error-wording",
        "Which words does a person see whose edit was rejected?",
        "the reason reaches them by other ways",
        _SYNCHRONOUS,
    ),
    OpenQuestion(
        "content-type",
        "Does a delivery name a charset?",
        "bytes are read as UTF-8 whatever it says",
        "it shows at the first delivery, and nothing is decided by it",
    ),
    OpenQuestion(
        "private-certificates",
        "Does Dataverse accept a certificate of a private authority?",
        "a publicly trusted one is demanded by `outside-reach`",
        "finding out takes a registration that leads to a private certificate",
    ),
    OpenQuestion(
        "refresh-user",
        "As whom does the Microsoft 365 refresh change users?",
        "its edits are judged like those of any system user",
        "it happens by itself at an unknown time; the decisions then name the user",
    ),
    OpenQuestion(
        "first-party-scope",
        "Can Microsoft's own sync be limited to some mailboxes?",
        "its application belongs to Microsoft",
        "finding out takes a change of the tenant's configuration",
    ),
    OpenQuestion(
        "test-and-enable",
        "Is Test & Enable by the Web API supported?",
        "Mailbox Guard never starts one",
        _WRITES,
    ),
    OpenQuestion(
        "duplicate-message-id",
        "Has e-mail an alternate key on the message id?",
        "the sync chooses the primary key itself",
        "finding out would take creating rows; the key is not needed",
    ),
    OpenQuestion(
        "delta-page-size",
        "How many items has a page of a delta round at most?",
        "pages of any size are read, and asked for smaller where one fails",
        _MAIL,
    ),
    OpenQuestion(
        "removed-reason",
        "Which reason does Exchange give for a mail that was moved?",
        "what is removed is read by its id before anything follows",
        _MAIL,
    ),
    OpenQuestion(
        "lost-cursor-codes",
        "With which codes does a delta link die?",
        "whatever says so begins a full round, which keeps all rows",
        _FAULT,
    ),
    OpenQuestion(
        "alias-paths",
        "Does an alias resolve in a path of a mailbox?",
        "mailboxes are named by object id alone",
        _MAIL,
    ),
    OpenQuestion(
        "if-match-on-messages",
        "Does Exchange heed If-Match on messages?",
        "nothing is written to a mailbox",
        "finding out takes a write to a mailbox",
    ),
    OpenQuestion(
        "message-id-kept",
        "Does Exchange keep a message id that was set on a draft?",
        "a second token travels in the mail",
        _SENDS,
    ),
    OpenQuestion(
        "sending-limits",
        "Which limits hold for sending, and how do they show?",
        "a send is never repeated blindly",
        _SENDS,
    ),
    OpenQuestion(
        "policy-and-admins",
        "Does an application access policy refuse mailboxes of administrators?",
        "a refused mailbox is told as failing",
        "finding out takes a mailbox of an administrator",
    ),
    OpenQuestion(
        "audit-licence",
        "Which licence does the record of mail accesses take today?",
        "only an imported audit tells of reads by others",
        "it is a matter of contracts, not of an answer",
    ),
)
"""Every fact that the references mark as not confirmed and that something here could hang on."""

_MEND = "Nothing need be done: what depends on it works either way."


class OpenQuestions(Probe):
    """What the documentation leaves open, and what this tenant answers."""

    code = "open-questions"
    looks_at = "Facts that Microsoft does not document, where asking changes nothing."
    worst = Severity.ERROR
    means = "Mailbox Guard assumed otherwise here, and does the slower or stricter thing."
    mend = _MEND
    needs = frozenset({Prerequisite.GRAPH, Prerequisite.DATAVERSE})

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Ask what can be asked, and name what cannot, with the reason."""
        asking: Mapping[str, Callable[[Installation], Awaitable[Diagnosis]]] = {
            "change-tracking": self._tracking,
            "proxy-case": self._case,
            "role-templates": self._templates,
        }
        answers = []
        for one in QUESTIONS:
            if one.code not in asking:
                told = f"{one.question} Cannot be probed safely, because {one.unsafe_because}."
                answers.append(self.note(told, about=one.code))
                continue
            try:
                answers.append(await asking[one.code](house))
            except CloudError as error:
                told = f"{one.question} {error.message}"
                answers.append(self.not_known(told, about=one.code))
        return answers

    async def _tracking(self, house: Installation) -> Diagnosis:
        dataverse, about = house.connected().dataverse, "change-tracking"
        found = {table: await dataverse.has_change_tracking(table) for table in TABLES}
        told = ", ".join(
            f"{table} {'not told' if is_on is None else 'on' if is_on else 'off'}"
            for table, is_on in found.items()
        )
        return self.note(f"Change tracking: {told}.", about=about)

    async def _case(self, house: Installation) -> Diagnosis:
        tenant, about = house.connected().tenant, "proxy-case"
        address = await tenant.some_address()
        if address is None or address == address.swapcase():
            return self.not_known("There was no address to ask with.", about=about)
        plain = await tenant.holders_of_proxy(address.lower())
        other = await tenant.holders_of_proxy(address.swapcase())
        if plain == other:
            return self.well("The index compares without case.", about=about)
        told = "The index heeds the case: both spellings are asked for, and no others."
        return self.found(
            Severity.WARN,
            told,
            about=about,
            means="An address that somebody holds in mixed capitals is found by its UPN or mail.",
            mend="Let proxy addresses be written in lower case.",
        )

    async def _templates(self, house: Installation) -> Diagnosis:
        found = await house.connected().tenant.role_templates()
        lacking = sorted(APPROVING_ROLES.keys() - found.keys())
        if not lacking:
            told = "Global and Exchange Administrator have the ids that are known for them."
            return self.well(told, about="role-templates")
        told = f"This tenant has no directory role {', '.join(lacking)}."
        return self.found(
            Severity.ERROR,
            told,
            about="role-templates",
            means="Nobody counts as a qualified approver by that role.",
            mend="Look the role's template id up in Entra, and name it in the policies.",
        )
