"""What Dataverse keeps of webhooks: endpoints, steps, images, and the switches around approval.

Terms:

- *Endpoint*: the row of `serviceendpoints` that says where deliveries go and what proves them.
- *Step*: the row of `sdkmessageprocessingsteps` that lets a message on a table call an endpoint.
- *Image*: the row of `sdkmessageprocessingstepimages` that says which columns a step brings along.
- *Offer*: a message on a table that steps can be registered on, by its two ids.
- *Surroundings*: switches of the organisation and server profiles, which nobody registers and on
  which it hangs what an approval is worth.

The attributes have the names of Dataverse's columns, so that what differs can be looked up there.
The key of an endpoint can be written and never be read: no value here has it.

Source: the tables serviceendpoint, sdkmessageprocessingstep and -image of the Dataverse reference.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias

from kernel.errors import GuardError, Unavailable

CREATE, UPDATE = "Create", "Update"
ASSIGN, SET_STATE = "Assign", "SetState"
CREATE_MULTIPLE, UPDATE_MULTIPLE = "CreateMultiple", "UpdateMultiple"
MESSAGES = (CREATE, UPDATE, ASSIGN, SET_STATE, CREATE_MULTIPLE, UPDATE_MULTIPLE)
SYNCHRONOUS, ASYNCHRONOUS = 0, 1
ENABLED, DISABLED = 0, 1
WEBHOOK = 8
PRE_IMAGE = 0


class ReadingRefused(GuardError):
    """Dataverse does not let the guard see what is registered: a privilege was taken."""

    code = "reading-refused"
    http_status = 403
    exit_code = 1


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where deliveries go. `isauthvalueset` is all that can be seen of the key."""

    id: str
    url: str
    contract: int
    authtype: int
    messageformat: int
    messagecharset: int
    isauthvalueset: bool = True


@dataclass(frozen=True, slots=True)
class Image:
    """Which columns of the row a step brings along, and under which name."""

    id: str
    entityalias: str
    imagetype: int
    messagepropertyname: str
    attributes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Step:
    """What calls an endpoint, and when.

    `message` and `table` are told by the ids of message and filter. `eventhandler` is the id of
    what is called, None where that is no endpoint. Without `filteringattributes` every column
    counts. `description` is a text for people, or what a pause has written there.
    """

    id: str
    message: str
    table: str
    mode: int
    stage: int
    rank: int
    filteringattributes: frozenset[str]
    eventhandler: str | None
    statecode: int = ENABLED
    canbebypassed: bool = False
    asyncautodelete: bool = False
    impersonatinguserid: str | None = None
    supporteddeployment: int = 0
    invocationsource: int = 0
    description: str = ""
    images: tuple[Image, ...] = ()

    @property
    def is_synchronous(self) -> bool:
        """Return whether the change waits for the answer."""
        return self.mode == SYNCHRONOUS

    @property
    def is_enabled(self) -> bool:
        """Return whether it calls anybody."""
        return self.statecode == ENABLED

    @property
    def title(self) -> str:
        """Return what people call it."""
        kind = "synchronous" if self.is_synchronous else "asynchronous"
        return f"{self.message} of {self.table}, {kind}"


@dataclass(frozen=True, slots=True)
class Registration:
    """An endpoint with the steps that call it; `endpoint` is None where there is none."""

    endpoint: Endpoint | None
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """A message on a table that a step may be registered on."""

    message_id: str
    filter_id: str


MessageOf: TypeAlias = tuple[str, str]
"""A message and the table it is about."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an approval leans on in the organisation, each by its name in Dataverse.

    `switches` are those of the organisation, `profiles` the server profiles by their id. A switch
    that could not be read is None.
    """

    switches: Mapping[str, bool | None] = field(default_factory=dict)
    profiles: Mapping[str, Mapping[str, str | int | bool | None]] = field(default_factory=dict)


class Registry(Protocol):
    """Dataverse as the keeper of what is registered there. Every write may be repeated.

    What reads raises ReadingRefused where a privilege is missing.
    """

    async def read(self, endpoint_id: str, *, step_ids: Collection[str] = ()) -> Registration:
        """Return the endpoint, and the steps that call it or have one of these ids."""
        ...

    async def neighbours(self, url: str, *, endpoint_id: str) -> tuple[str, ...]:
        """Return the ids of other webhooks that post to the same address."""
        ...

    async def offers(self, tables: Collection[str]) -> Mapping[MessageOf, Offer]:
        """Return on which of `MESSAGES` of these tables steps may be registered."""
        ...

    async def surroundings(self) -> Surroundings:
        """Return switches and server profiles."""
        ...

    async def save_endpoint(self, endpoint: Endpoint, *, is_new: bool, key: str | None) -> None:
        """Make the endpoint, or mend it; with a key that is what it sends from now on."""
        ...

    async def save_step(self, step: Step, offer: Offer, *, is_new: bool) -> None:
        """Make the step without its images, or mend it."""
        ...

    async def save_image(self, image: Image, *, step_id: str, is_new: bool) -> None:
        """Make the image, or mend it."""
        ...

    async def switch(self, step_id: str, *, statecode: int, description: str) -> None:
        """Enable or disable a step, and write its description."""
        ...

    async def remove_image(self, image_id: str) -> None:
        """Remove an image; one that is gone already is removed."""
        ...

    async def remove_step(self, step_id: str) -> None:
        """Remove a step with its images; one that is gone already is removed."""
        ...

    async def remove_endpoint(self, endpoint_id: str) -> None:
        """Remove an endpoint without steps; one that is gone already is removed."""
        ...


class MemoryRegistry:
    """A registry in memory. `keys` are what endpoints send, `writes` counts what was written."""

    def __init__(
        self,
        *,
        offered: Collection[MessageOf] = (),
        surroundings: Surroundings | None = None,
        is_down: bool = False,
    ) -> None:
        self.is_refused = False
        self.offered = {
            one: Offer(f"message/{one[0]}", f"filter/{one[0]}/{one[1]}") for one in offered
        }
        self.around = surroundings or Surroundings()
        self.is_down = is_down
        self.endpoints: dict[str, Endpoint] = {}
        self.steps: dict[str, Step] = {}
        self.keys: dict[str, str] = {}
        self.writes = 0

    async def read(self, endpoint_id: str, *, step_ids: Collection[str] = ()) -> Registration:
        """Return the endpoint and its steps."""
        self._answer()
        return Registration(
            self.endpoints.get(endpoint_id),
            tuple(
                step
                for step in self.steps.values()
                if step.eventhandler == endpoint_id or step.id in step_ids
            ),
        )

    async def neighbours(self, url: str, *, endpoint_id: str) -> tuple[str, ...]:
        """Return the other endpoints of the address."""
        self._answer()
        return tuple(
            one.id
            for one in self.endpoints.values()
            if one.id != endpoint_id and one.url == url and one.contract == WEBHOOK
        )

    async def offers(self, tables: Collection[str]) -> Mapping[MessageOf, Offer]:
        """Return what is offered of these tables."""
        self._answer()
        return {one: offer for one, offer in self.offered.items() if one[1] in tables}

    async def surroundings(self) -> Surroundings:
        """Return what was put there."""
        self._answer()
        return self.around

    async def save_endpoint(self, endpoint: Endpoint, *, is_new: bool, key: str | None) -> None:
        """Keep the endpoint."""
        self._write()
        if key is not None:
            self.keys[endpoint.id] = key
        self.endpoints[endpoint.id] = replace(endpoint, isauthvalueset=endpoint.id in self.keys)

    async def save_step(self, step: Step, offer: Offer, *, is_new: bool) -> None:
        """Keep the step and the images that it has."""
        self._write()
        known = self.steps.get(step.id)
        self.steps[step.id] = replace(step, images=known.images if known is not None else ())

    async def save_image(self, image: Image, *, step_id: str, is_new: bool) -> None:
        """Keep the image in this step and in no other."""
        self._write()
        self._drop_image(image.id)
        step = self.steps[step_id]
        self.steps[step_id] = replace(step, images=(*step.images, image))

    async def switch(self, step_id: str, *, statecode: int, description: str) -> None:
        """Change state and description of a step."""
        self._write()
        self.steps[step_id] = replace(
            self.steps[step_id], statecode=statecode, description=description
        )

    async def remove_image(self, image_id: str) -> None:
        """Drop the image."""
        self._write()
        self._drop_image(image_id)

    async def remove_step(self, step_id: str) -> None:
        """Drop the step."""
        self._write()
        self.steps.pop(step_id, None)

    async def remove_endpoint(self, endpoint_id: str) -> None:
        """Drop the endpoint and its key."""
        self._write()
        self.endpoints.pop(endpoint_id, None)
        self.keys.pop(endpoint_id, None)

    def _drop_image(self, image_id: str) -> None:
        for step in list(self.steps.values()):
            kept = tuple(one for one in step.images if one.id != image_id)
            self.steps[step.id] = replace(step, images=kept)

    def _answer(self) -> None:
        if self.is_down:
            raise Unavailable("Dataverse does not answer.")
        if self.is_refused:
            raise ReadingRefused("Dataverse refuses to show it.")

    def _write(self) -> None:
        self._answer()
        self.writes += 1
