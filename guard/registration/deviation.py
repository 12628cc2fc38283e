"""What of a registration differs from the one that should be there: pure, column by column.

What is ours is known by ids and by whom a step calls; names are for people and are never compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from typing import Any

from guard.ports.registry import Endpoint, Image, Registration, Step, Surroundings
from kernel.digest import digest_of
from kernel.words import DocumentedWord

# What is compared otherwise, or is not compared: ids, what names the row, what people may write.
_APART = frozenset({"id", "message", "table", "mode", "images", "description"})


NAME = "name"
ENDPOINT_TITLE = "The endpoint"


class Part(DocumentedWord):
    """What of the registration, or around it, is meant."""

    ENDPOINT = "endpoint", "Where deliveries go, and what proves them."
    STEP = "step", "What calls the endpoint, and when."
    IMAGE = "image", "Which columns a step brings along."
    ORGANIZATION = "organization", "A switch of the organisation."
    PROFILE = "server-profile", "A server profile, by which mailboxes are reached."


class DeviationKind(DocumentedWord):
    """In which way something differs."""

    MISSING = "missing", "It should be there and is not."
    SURPLUS = "surplus", "It is there and should not be."
    OTHER = "other", "A column of it has another value."
    UNREADABLE = "unreadable", "The guard is not let see it, so nobody knows."


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing that differs.

    `subject` is the row's id, or the name of a switch; `title` is what people call it. `column`,
    `wanted` and `found` are None for a row as a whole. What is compared as a set is sorted.
    """

    part: Part
    kind: DeviationKind
    subject: str
    title: str
    column: str | None = None
    wanted: Any = None
    found: Any = None

    @property
    def identity(self) -> str:
        """Return what tells it from every other: the same again, found the same, is the same."""
        found = list(self.found) if isinstance(self.found, tuple) else self.found
        return digest_of([self.part.value, self.kind.value, self.subject, self.column, found])

    @property
    def text(self) -> str:
        """Return it in a sentence."""
        name = self.title if self.title == ENDPOINT_TITLE else f"{self.part.value} {self.title}"
        joint = ": " if self.kind is DeviationKind.OTHER else " "
        return f"{name}{joint}{self.detail}."

    @property
    def detail(self) -> str:
        """Return how it differs, for where its name stands beside it."""
        match self.kind:
            case DeviationKind.MISSING:
                return "is missing"
            case DeviationKind.UNREADABLE:
                return "and what belongs to it may not be read: a privilege was taken"
            case DeviationKind.SURPLUS:
                return "should not be there"
            case DeviationKind.OTHER:
                if isinstance(self.wanted, tuple) and isinstance(self.found, tuple):
                    return f"{self.column} {_of_sets(self.wanted, self.found)}"
                return f"{self.column} is {self.found!r}, not {self.wanted!r}"


def _of_sets(wanted: tuple[str, ...], found: tuple[str, ...]) -> str:
    if not found:
        return "is empty, so that every column counts"
    lacking = [one for one in wanted if one not in found]
    extra = [one for one in found if one not in wanted]
    told = [f"lacks {', '.join(lacking)}"] if lacking else []
    return " and ".join([*told, f"has {', '.join(extra)} too much"] if extra else told)


def unreadable(endpoint_id: str) -> Deviation:
    """Return that nothing of the registration may be read."""
    return Deviation(Part.ENDPOINT, DeviationKind.UNREADABLE, endpoint_id, ENDPOINT_TITLE)


def deviations(wanted: Registration, found: Registration) -> tuple[Deviation, ...]:
    """Return everything that differs, endpoint first; empty when nothing does.

    Nothing is wanted where `wanted` has no endpoint: then all that is found is too much.
    """
    told = list(_of_endpoint(wanted.endpoint, found.endpoint))
    counterparts, ids = paired(wanted, found), image_ids_of(wanted)
    for step in wanted.steps:
        told += _of_step(step, counterparts.get(step.id), ids)
    kept = {one.id for one in counterparts.values()}
    told += [
        Deviation(Part.STEP, DeviationKind.SURPLUS, step.id, step.title)
        for step in found.steps
        if step.id not in kept
    ]
    return tuple(told)


def surroundings_deviations(accepted: Surroundings, found: Surroundings) -> tuple[Deviation, ...]:
    """Return every switch and every server profile that is not as it was accepted.

    What a profile is called does not matter, and is told.
    """
    told = [
        Deviation(Part.ORGANIZATION, DeviationKind.OTHER, name, name, name, wanted, has)
        for name, wanted in accepted.switches.items()
        if (has := found.switches.get(name)) != wanted
    ]
    for profile_id, columns in accepted.profiles.items():
        now = found.profiles.get(profile_id)
        title = str(columns.get(NAME) or profile_id)
        if now is None:
            told.append(Deviation(Part.PROFILE, DeviationKind.MISSING, profile_id, title))
            continue
        told += [
            Deviation(
                Part.PROFILE, DeviationKind.OTHER, profile_id, title, name, wanted, now.get(name)
            )
            for name, wanted in columns.items()
            if name != NAME and now.get(name) != wanted
        ]
    told += [
        Deviation(
            Part.PROFILE, DeviationKind.SURPLUS, one, str(found.profiles[one].get(NAME) or one)
        )
        for one in found.profiles
        if one not in accepted.profiles
    ]
    return tuple(told)


def paired(wanted: Registration, found: Registration) -> dict[str, Step]:
    """Return, by the id of each wanted step, the one that stands for it.

    The one with its id does, whomever it calls; else one that calls our endpoint on the same
    message, table and mode. Where there are several, the others are too many, and so is one that
    has the id of another.
    """
    by_id = {one.id: one for one in found.steps}
    chosen: dict[str, Step] = {}
    for step in wanted.steps:
        one = by_id.get(step.id)
        if one is not None and _kind_of(one) == _kind_of(step):
            chosen[step.id] = one
    taken = {one.id for one in wanted.steps}
    for step in wanted.steps:
        if step.id not in chosen:
            alike = sorted(
                (
                    one
                    for one in found.steps
                    if one.id not in taken
                    and _kind_of(one) == _kind_of(step)
                    and one.eventhandler == step.eventhandler
                ),
                key=lambda one: one.id,
            )
            if alike:
                chosen[step.id] = alike[0]
                taken.add(alike[0].id)
    return chosen


def image_of(step: Step, wanted: Image, ids: Collection[str]) -> Image | None:
    """Return the image of a step that stands for a wanted one: of its id, else of its alias.

    `ids` are those of all wanted images: what has the id of another stands for none here.
    """
    by_id = next((one for one in step.images if one.id == wanted.id), None)
    return by_id or next(
        (one for one in step.images if one.entityalias == wanted.entityalias and one.id not in ids),
        None,
    )


def image_ids_of(registration: Registration) -> frozenset[str]:
    """Return the ids of all images of a registration."""
    return frozenset(image.id for step in registration.steps for image in step.images)


def _kind_of(step: Step) -> tuple[str, str, int]:
    return step.message, step.table, step.mode


def _of_endpoint(wanted: Endpoint | None, found: Endpoint | None) -> Iterator[Deviation]:
    title = ENDPOINT_TITLE
    if wanted is None:
        if found is not None:
            yield Deviation(Part.ENDPOINT, DeviationKind.SURPLUS, found.id, title)
    elif found is None:
        yield Deviation(Part.ENDPOINT, DeviationKind.MISSING, wanted.id, title)
    else:
        yield from _columns(Part.ENDPOINT, found.id, title, wanted, found)


def _of_step(wanted: Step, found: Step | None, ids: Collection[str]) -> Iterator[Deviation]:
    if found is None:
        yield Deviation(Part.STEP, DeviationKind.MISSING, wanted.id, wanted.title)
        return
    yield from _columns(Part.STEP, found.id, wanted.title, wanted, found)
    kept = set()
    for image in wanted.images:
        title = f"{image.entityalias} of {wanted.title}"
        one = image_of(found, image, ids)
        if one is None:
            yield Deviation(Part.IMAGE, DeviationKind.MISSING, image.id, title)
        else:
            kept.add(one.id)
            yield from _columns(Part.IMAGE, one.id, title, image, one)
    for one in found.images:
        if one.id not in kept:
            title = f"{one.entityalias} of {wanted.title}"
            yield Deviation(Part.IMAGE, DeviationKind.SURPLUS, one.id, title)


def _columns(part: Part, subject: str, title: str, wanted: Any, found: Any) -> Iterator[Deviation]:
    for one in fields(wanted):
        if one.name in _APART:
            continue
        should, has = getattr(wanted, one.name), getattr(found, one.name)
        if should != has:
            if isinstance(should, frozenset):
                should, has = tuple(sorted(should)), tuple(sorted(has))
            yield Deviation(part, DeviationKind.OTHER, subject, title, one.name, should, has)
