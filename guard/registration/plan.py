"""What has to be written so that nothing differs any more: pure, in an order that is safe.

The endpoint comes first, asynchronous steps before synchronous ones, each with its image; what is
too much goes last, unless it is in the way. Whoever stops in the middle begins again: what was done
is no difference any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from guard.ports.registry import (
    Endpoint,
    Image,
    MessageOf,
    Offer,
    Registration,
    Registry,
    Step,
)
from guard.registration.deviation import (
    Deviation,
    DeviationKind,
    Part,
    deviations,
    image_ids_of,
    image_of,
    paired,
)
from kernel.words import DocumentedWord


class Verb(DocumentedWord):
    """What is done to a row."""

    CREATE = "create", "It is made."
    UPDATE = "update", "It is mended."
    REMOVE = "remove", "It is removed."


@dataclass(frozen=True, slots=True)
class Action:
    """One write: the row as it will be, and the differences that it mends.

    `row` is an Endpoint, a Step, or an Image, whose step `step_id` names. `sends_key` says that the
    endpoint gets a key with it; the key itself is in no plan.
    """

    verb: Verb
    part: Part
    title: str
    row: Endpoint | Step | Image
    step_id: str = ""
    sends_key: bool = False
    because: tuple[Deviation, ...] = ()


def plan(wanted: Registration, found: Registration, *, sends_key: bool) -> tuple[Action, ...]:
    """Return what to write, in order; nothing when nothing differs and no key is to be sent.

    A new endpoint always gets a key, and so does one that has none.
    """
    told: dict[str, list[Deviation]] = {}
    for one in deviations(wanted, found):
        told.setdefault(one.subject, []).append(one)
    counterparts, image_ids = paired(wanted, found), image_ids_of(wanted)
    # What stops people goes before what only tells of them.
    surplus = sorted(
        (step for step in found.steps if _is_surplus(told, step.id, Part.STEP)),
        key=lambda step: step.mode,
    )
    in_the_way = {step.id for step in wanted.steps if step.id not in counterparts}
    actions = [_removal(step) for step in surplus if step.id in in_the_way]
    misplaced = [
        _image_action(Verb.REMOVE, image, step, step.id)
        for step in counterparts.values()
        for image in step.images
        if image.id in image_ids and _is_surplus(told, image.id, Part.IMAGE)
    ]
    actions += misplaced
    actions += _for_endpoint(wanted.endpoint, found.endpoint, told, sends_key=sends_key)
    for step in wanted.steps:
        actions += _for_step(step, counterparts.get(step.id), told, image_ids)
    actions += [_removal(step) for step in surplus if step.id not in in_the_way]
    if wanted.endpoint is None and found.endpoint is not None:
        actions.append(Action(Verb.REMOVE, Part.ENDPOINT, "The endpoint", found.endpoint))
    return tuple(actions)


async def carry_out(
    action: Action, registry: Registry, *, offers: Mapping[MessageOf, Offer], key: str | None
) -> None:
    """Do one action; doing it again changes nothing. `key` is used by what sends a key alone."""
    row = action.row
    is_new = action.verb is Verb.CREATE
    match row, action.verb:
        case Endpoint(), Verb.REMOVE:
            await registry.remove_endpoint(row.id)
        case Endpoint(), _:
            await registry.save_endpoint(row, is_new=is_new, key=key if action.sends_key else None)
        case Step(), Verb.REMOVE:
            await registry.remove_step(row.id)
        case Step(), _:
            await registry.save_step(row, offers[row.message, row.table], is_new=is_new)
        case Image(), Verb.REMOVE:
            await registry.remove_image(row.id)
        case Image(), _:
            await registry.save_image(row, step_id=action.step_id, is_new=is_new)


def _is_surplus(told: Mapping[str, list[Deviation]], row_id: str, part: Part) -> bool:
    return any(
        one.part is part and one.kind is DeviationKind.SURPLUS for one in told.get(row_id, ())
    )


def _removal(step: Step) -> Action:
    return Action(Verb.REMOVE, Part.STEP, step.title, step)


def _for_endpoint(
    wanted: Endpoint | None,
    found: Endpoint | None,
    told: Mapping[str, list[Deviation]],
    *,
    sends_key: bool,
) -> Iterator[Action]:
    if wanted is None:
        return
    title = "The endpoint"
    if found is None:
        yield Action(Verb.CREATE, Part.ENDPOINT, title, wanted, sends_key=True)
        return
    because = tuple(told.get(found.id, ()))
    # Another way of proving wants another form of the key, which can't be read to be rewritten.
    needs_key = not found.isauthvalueset or found.authtype != wanted.authtype
    if because or sends_key:
        yield Action(
            Verb.UPDATE,
            Part.ENDPOINT,
            title,
            wanted,
            sends_key=sends_key or needs_key,
            because=because,
        )


def _for_step(
    wanted: Step,
    found: Step | None,
    told: Mapping[str, list[Deviation]],
    image_ids: Collection[str],
) -> Iterator[Action]:
    if found is None:
        yield Action(Verb.CREATE, Part.STEP, wanted.title, replace(wanted, images=()))
        for image in wanted.images:
            yield _image_action(Verb.CREATE, image, wanted, wanted.id)
        return
    because = tuple(one for one in told.get(found.id, ()) if one.part is Part.STEP)
    if because:
        row = replace(wanted, id=found.id, images=())
        yield Action(Verb.UPDATE, Part.STEP, wanted.title, row, because=because)
    kept = set()
    for image in wanted.images:
        one = image_of(found, image, image_ids)
        if one is None:
            yield _image_action(Verb.CREATE, image, wanted, found.id)
            continue
        kept.add(one.id)
        because = tuple(d for d in told.get(one.id, ()) if d.kind is DeviationKind.OTHER)
        if because:
            mended = replace(image, id=one.id)
            yield _image_action(Verb.UPDATE, mended, wanted, found.id, because)
    for one in found.images:
        if one.id not in kept and one.id not in image_ids:
            yield _image_action(Verb.REMOVE, one, wanted, found.id)


def _image_action(
    verb: Verb, image: Image, step: Step, step_id: str, because: tuple[Deviation, ...] = ()
) -> Action:
    title = f"{image.entityalias} of {step.title}"
    return Action(verb, Part.IMAGE, title, image, step_id=step_id, because=because)
