"""What should be registered: a value made of the address, the organisation, offers and policies.

Pure. Every row has an id that follows from the organisation and from what it is, so that what is
made twice is one row, and a copy of an environment has rows of its own. Source: dataverse.md §5.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID, uuid5

from guard.columns.table import TABLES
from guard.ports.registry import (
    ASSIGN,
    ASYNCHRONOUS,
    CREATE,
    CREATE_MULTIPLE,
    MESSAGES,
    PRE_IMAGE,
    SET_STATE,
    SYNCHRONOUS,
    UPDATE,
    UPDATE_MULTIPLE,
    WEBHOOK,
    Endpoint,
    Image,
    MessageOf,
    Registration,
    Step,
)
from kernel.words import DocumentedWord

_NAMESPACE = UUID("0b9c0a66-5d0e-4e0b-9a4e-6f2f8a1c7d35")
IMAGE_ALIAS = "pre"
BY_HEADER = 5
JSON = 2
UTF_8 = 1
# Nobody's step can run after this one: the guard sees what all others made of the change.
LAST = 2_147_483_647
_STAGES = {SYNCHRONOUS: 20, ASYNCHRONOUS: 40}
# In which parameter of the message the row stands whose image is taken; a Create has none before.
_IMAGED = {UPDATE: "Target", ASSIGN: "Target", SET_STATE: "EntityMoniker"}


class StepChoice(DocumentedWord):
    """Which steps are wanted; the values are those of `--steps`."""

    BOTH = "both", "Synchronous steps reject, asynchronous ones confirm."
    ASYNC = "async", "Asynchronous steps alone: nothing is stopped, everything is seen."


class LeftOut(DocumentedWord):
    """Why a message on a table has no step of its own."""

    NOT_OFFERED = "not-offered", "The platform lets no step be registered on it."
    FOLDED = "folded", "The steps on the single message are called for each of its rows."


# What the platform hands to the steps of another message, row by row.
_FOLDED = {CREATE_MULTIPLE: CREATE, UPDATE_MULTIPLE: UPDATE}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be registered, and which messages are left without a step of their own."""

    registration: Registration
    left_out: Mapping[MessageOf, LeftOut]

    @property
    def not_guarded(self) -> tuple[MessageOf, ...]:
        """Return those messages without which the guard misses edits that it must see."""
        return tuple(
            one
            for one, why in self.left_out.items()
            if why is LeftOut.NOT_OFFERED and one[0] in (CREATE, UPDATE)
        )


def endpoint_id_of(organization_id: str) -> str:
    """Return the id of the guard's endpoint in an organisation."""
    return _id_of(organization_id, "endpoint")


def step_ids_of(organization_id: str) -> frozenset[str]:
    """Return the ids of every step that the guard may ever have there."""
    return frozenset(
        _step_id(organization_id, message, table, mode)
        for message in MESSAGES
        for table in TABLES
        for mode in _STAGES
    )


def desired_registration(
    organization_id: str,
    url: str,
    *,
    offered: Collection[MessageOf],
    named: Mapping[str, frozenset[str]],
    choice: StepChoice = StepChoice.BOTH,
) -> Wanted:
    """Return what should be registered.

    `named` are the columns that the loaded policies name, by table; tables that are not guarded do
    not matter. `offered` are the messages on which steps can be registered.
    """
    endpoint = Endpoint(
        id=endpoint_id_of(organization_id),
        url=url.rstrip("/"),
        contract=WEBHOOK,
        authtype=BY_HEADER,
        messageformat=JSON,
        messagecharset=UTF_8,
    )
    modes = (ASYNCHRONOUS,) if choice is StepChoice.ASYNC else (ASYNCHRONOUS, SYNCHRONOUS)
    steps: list[Step] = []
    left_out: dict[MessageOf, LeftOut] = {}
    # The asynchronous ones come first: what is being registered sees before it stops anybody.
    for table in TABLES:
        for message in MESSAGES:
            if message in _FOLDED:
                left_out[message, table] = LeftOut.FOLDED
            elif (message, table) not in offered:
                left_out[message, table] = LeftOut.NOT_OFFERED
    for mode in modes:
        for table in TABLES:
            for message in MESSAGES:
                if (message, table) not in left_out:
                    columns = named.get(table, frozenset())
                    steps.append(_step(organization_id, endpoint.id, message, table, mode, columns))
    return Wanted(Registration(endpoint, tuple(steps)), left_out)


def _step(
    organization_id: str,
    endpoint_id: str,
    message: str,
    table: str,
    mode: int,
    named: frozenset[str],
) -> Step:
    step_id = _step_id(organization_id, message, table, mode)
    guarded = TABLES[table]
    images: tuple[Image, ...] = ()
    if message in _IMAGED:
        images = (
            Image(
                id=_id_of(organization_id, "image", message, table, str(mode)),
                entityalias=IMAGE_ALIAS,
                imagetype=PRE_IMAGE,
                messagepropertyname=_IMAGED[message],
                attributes=frozenset(guarded.carried) | named,
            ),
        )
    return Step(
        id=step_id,
        message=message,
        table=table,
        mode=mode,
        stage=_STAGES[mode],
        rank=LAST,
        # Microsoft's sync writes its own bookkeeping on mailboxes all the time: never left empty.
        filteringattributes=frozenset(guarded.columns) if message == UPDATE else frozenset(),
        eventhandler=endpoint_id,
        # A job that succeeded tells nothing; one that failed stays all the same.
        asyncautodelete=mode == ASYNCHRONOUS,
        images=images,
    )


def _step_id(organization_id: str, message: str, table: str, mode: int) -> str:
    return _id_of(organization_id, "step", message, table, str(mode))


def _id_of(organization_id: str, *parts: str) -> str:
    return str(uuid5(_NAMESPACE, "/".join((organization_id.lower(), *parts))))
