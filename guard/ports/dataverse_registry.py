"""The port Registry over the Dataverse Web API: rows become values, values become a PATCH.

Rows get ids that we chose, by the documented upsert: what an earlier attempt made is found again.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import quoteattr

from cloud.dataverse import Dataverse
from cloud.errors import NotThere, PreconditionFailed, Refused, RequestRejected
from cloud.odata import literal
from guard.ports.registry import (
    MESSAGES,
    WEBHOOK,
    Endpoint,
    Image,
    MessageOf,
    Offer,
    ReadingRefused,
    Registration,
    Step,
    Surroundings,
)
from guard.ports.rows import WriteRefused
from kernel.failpoints import failpoint

REGISTRATION_WRITE = failpoint(
    "guard.registration-write", "An endpoint, a step or an image is written into Dataverse."
)
KEY_HEADER = "x-guard-key"
_ENDPOINTS, _STEPS = "serviceendpoints", "sdkmessageprocessingsteps"
_IMAGES = "sdkmessageprocessingstepimages"
_ENDPOINT_SELECT = (
    "serviceendpointid",
    "url",
    "contract",
    "authtype",
    "messageformat",
    "messagecharset",
    "isauthvalueset",
)
_STEP_SELECT = (
    "sdkmessageprocessingstepid",
    "mode",
    "stage",
    "rank",
    "filteringattributes",
    "_eventhandler_value",
    "statecode",
    "canbebypassed",
    "asyncautodelete",
    "_impersonatinguserid_value",
    "supporteddeployment",
    "invocationsource",
    "description",
)
_STEP_EXPAND = "sdkmessageid($select=name),sdkmessagefilterid($select=primaryobjecttypecode)"
_IMAGE_SELECT = (
    "sdkmessageprocessingstepimageid",
    "_sdkmessageprocessingstepid_value",
    "entityalias",
    "imagetype",
    "messagepropertyname",
    "attributes",
)
_SWITCHES = ("requireapprovalforuseremail", "requireapprovalforqueueemail")
# Whether approving one's own mailbox takes the privilege to approve; kept as XML in one column.
SELF_APPROVAL = "RequirePrivilegeToSelfApproveEmailAddress"
_MOST_SETTINGS = 256 * 1024
_PROFILE_SELECT = (
    "name",
    "statecode",
    "servertype",
    "incomingcredentialretrieval",
    "outgoingcredentialretrieval",
    "incomingserverlocation",
    "outgoingserverlocation",
    "exchangeonlinetenantid",
    "oauthclientid",
)
_FORBIDDEN = 403
_STATUS_OF_STATE = {0: 1, 1: 2}


class DataverseRegistry:
    """Dataverse through its Web API."""

    def __init__(self, dataverse: Dataverse) -> None:
        self._dataverse = dataverse

    async def read(self, endpoint_id: str, *, step_ids: Collection[str] = ()) -> Registration:
        """Read the endpoint, its steps and their images: three requests."""
        with _readable():
            return await self._read(endpoint_id, step_ids)

    async def _read(self, endpoint_id: str, step_ids: Collection[str]) -> Registration:
        found = await self._dataverse.get(
            _ENDPOINTS, endpoint_id, select=_ENDPOINT_SELECT, reason="guard: read its endpoint"
        )
        terms = [f"_eventhandler_value eq {endpoint_id}"]
        terms += [f"sdkmessageprocessingstepid eq {one}" for one in sorted(step_ids)]
        rows = [
            row
            async for page in self._dataverse.pages(
                _STEPS,
                select=_STEP_SELECT,
                expand=_STEP_EXPAND,
                filter=" or ".join(terms),
                reason="guard: read its steps",
            )
            for row in page
        ]
        images = await self._images([_id(row, "sdkmessageprocessingstepid") for row in rows])
        steps = tuple(_step_from(row, images) for row in rows)
        return Registration(None if found is None else _endpoint_from(found), steps)

    async def neighbours(self, url: str, *, endpoint_id: str) -> tuple[str, ...]:
        """List the webhooks of the organisation, of which there are few."""
        rows = await self._dataverse.rows(
            _ENDPOINTS,
            select=("serviceendpointid", "url"),
            filter=f"contract eq {WEBHOOK}",
            reason="guard: read who else posts to it",
        )
        alike = url.rstrip("/").casefold()
        return tuple(
            _id(row, "serviceendpointid")
            for row in rows
            if _id(row, "serviceendpointid") != endpoint_id
            and _text(row.get("url")).rstrip("/").casefold() == alike
        )

    async def offers(self, tables: Collection[str]) -> Mapping[MessageOf, Offer]:
        """Read the filters of these tables and messages; ids are looked up, never assumed."""
        with _readable():
            return await self._offers(tables)

    async def _offers(self, tables: Collection[str]) -> Mapping[MessageOf, Offer]:
        of_tables = " or ".join(f"primaryobjecttypecode eq {literal(one)}" for one in tables)
        of_messages = " or ".join(f"sdkmessageid/name eq {literal(one)}" for one in MESSAGES)
        found: dict[MessageOf, Offer] = {}
        async for page in self._dataverse.pages(
            "sdkmessagefilters",
            select=(
                "sdkmessagefilterid",
                "primaryobjecttypecode",
                "iscustomprocessingstepallowed",
                "_sdkmessageid_value",
            ),
            expand="sdkmessageid($select=name)",
            filter=f"({of_tables}) and ({of_messages})",
            reason="guard: read what steps can be registered on",
        ):
            for row in page:
                if row.get("iscustomprocessingstepallowed") is True:
                    message = _text((row.get("sdkmessageid") or {}).get("name"))
                    offer = Offer(_id(row, "_sdkmessageid_value"), _id(row, "sdkmessagefilterid"))
                    found[message, _text(row.get("primaryobjecttypecode"))] = offer
        return found

    async def surroundings(self) -> Surroundings:
        """Read the organisation's row and the server profiles."""
        with _readable():
            return await self._surroundings()

    async def _surroundings(self) -> Surroundings:
        rows = await self._dataverse.rows(
            "organizations",
            select=(*_SWITCHES, "orgdborgsettings"),
            reason="guard: read the switches of approval",
        )
        row = rows[0] if rows else {}
        switches: dict[str, bool | None] = {name: _flag(row.get(name)) for name in _SWITCHES}
        switches[SELF_APPROVAL] = _setting(row.get("orgdborgsettings"), SELF_APPROVAL)
        profiles = await self._dataverse.rows(
            "emailserverprofiles",
            select=("emailserverprofileid", *_PROFILE_SELECT),
            reason="guard: read the server profiles",
        )
        return Surroundings(
            switches,
            {
                _id(one, "emailserverprofileid"): {name: one.get(name) for name in _PROFILE_SELECT}
                for one in profiles
            },
        )

    async def save_endpoint(self, endpoint: Endpoint, *, is_new: bool, key: str | None) -> None:
        """Write the endpoint; the key travels in the body of this one request."""
        values: dict[str, Any] = {
            "url": endpoint.url,
            "contract": endpoint.contract,
            "authtype": endpoint.authtype,
            "messageformat": endpoint.messageformat,
            "messagecharset": endpoint.messagecharset,
        }
        if key is not None:
            setting = f"<setting name={quoteattr(KEY_HEADER)} value={quoteattr(key)}/>"
            values["authvalue"] = f"<settings>{setting}</settings>"
        new = {
            "name": "mailbox-guard",
            "userclaim": 1,
            "connectionmode": 1,
            "namespaceformat": 1,
            "path": " ",
            "solutionnamespace": " ",
        }
        await self._save(_ENDPOINTS, endpoint.id, values, new=new if is_new else None)

    async def save_step(self, step: Step, offer: Offer, *, is_new: bool) -> None:
        """Write the step; message and filter stay what they were when it was made."""
        values: dict[str, Any] = {
            "mode": step.mode,
            "stage": step.stage,
            "rank": step.rank,
            "filteringattributes": ",".join(sorted(step.filteringattributes)) or None,
            "canbebypassed": step.canbebypassed,
            "asyncautodelete": step.asyncautodelete,
            "supporteddeployment": step.supporteddeployment,
            "invocationsource": step.invocationsource,
            "description": step.description or None,
            "eventhandler_serviceendpoint@odata.bind": f"/{_ENDPOINTS}({step.eventhandler})",
        }
        if is_new:
            new = {
                "name": f"mailbox-guard: {step.title}",
                "sdkmessageid@odata.bind": f"/sdkmessages({offer.message_id})",
                "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({offer.filter_id})",
            }
            await self._save(_STEPS, step.id, values, new=new)
            return
        values |= {
            "statecode": step.statecode,
            "statuscode": _STATUS_OF_STATE[step.statecode],
            "impersonatinguserid@odata.bind": None,
        }
        await self._save(_STEPS, step.id, values, new=None)

    async def save_image(self, image: Image, *, step_id: str, is_new: bool) -> None:
        """Write the image."""
        values: dict[str, Any] = {
            "entityalias": image.entityalias,
            "imagetype": image.imagetype,
            "messagepropertyname": image.messagepropertyname,
            "attributes": ",".join(sorted(image.attributes)),
        }
        new = {
            "name": image.entityalias,
            "sdkmessageprocessingstepid@odata.bind": f"/{_STEPS}({step_id})",
        }
        if is_new:
            # An image that has our id already may be another step's, and stays with its step.
            await self._remove(_IMAGES, image.id)
        await self._save(_IMAGES, image.id, values, new=new if is_new else None)

    async def switch(self, step_id: str, *, statecode: int, description: str) -> None:
        """Write state, status and description in one request."""
        values = {
            "statecode": statecode,
            "statuscode": _STATUS_OF_STATE[statecode],
            "description": description or None,
        }
        await self._save(_STEPS, step_id, values, new=None)

    async def remove_image(self, image_id: str) -> None:
        """Delete the image."""
        await self._remove(_IMAGES, image_id)

    async def remove_step(self, step_id: str) -> None:
        """Delete the step; Dataverse deletes its images with it."""
        await self._remove(_STEPS, step_id)

    async def remove_endpoint(self, endpoint_id: str) -> None:
        """Delete the endpoint."""
        await self._remove(_ENDPOINTS, endpoint_id)

    async def _images(self, step_ids: Sequence[str]) -> dict[str, list[Image]]:
        found: dict[str, list[Image]] = {}
        if not step_ids:
            return found
        rows = await self._dataverse.rows(
            _IMAGES,
            select=_IMAGE_SELECT,
            filter=" or ".join(f"_sdkmessageprocessingstepid_value eq {one}" for one in step_ids),
            reason="guard: read its images",
        )
        for row in rows:
            image = Image(
                id=_id(row, "sdkmessageprocessingstepimageid"),
                entityalias=_text(row.get("entityalias")),
                imagetype=_number(row.get("imagetype")),
                messagepropertyname=_text(row.get("messagepropertyname")),
                attributes=_names(row.get("attributes")),
            )
            found.setdefault(_id(row, "_sdkmessageprocessingstepid_value"), []).append(image)
        return found

    async def _save(
        self, entity_set: str, row_id: str, values: dict[str, Any], *, new: dict[str, Any] | None
    ) -> None:
        """Make the row with these and the new values, or change it where it is there already."""
        reason = "guard: register"
        if new is not None and await _refusable(
            self._dataverse.create_if_absent(
                entity_set, row_id, {**new, **values}, failpoint=REGISTRATION_WRITE, reason=reason
            )
        ):
            return
        await _refusable(
            self._dataverse.update(
                entity_set,
                row_id,
                values,
                if_match="*",
                failpoint=REGISTRATION_WRITE,
                reason=reason,
            )
        )

    async def _remove(self, entity_set: str, row_id: str) -> None:
        await _refusable(
            self._dataverse.remove(
                entity_set, row_id, failpoint=REGISTRATION_WRITE, reason="guard: unregister"
            )
        )


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except Refused as error:
        if error.status != _FORBIDDEN:
            # A credential that is not taken says nothing about what is registered.
            raise
        raise ReadingRefused(
            f"Dataverse refuses to show what is registered: {error.message}",
            hint="`mailbox-guard dataverse role` lists the privileges that reading needs.",
        ) from error


async def _refusable(write: Awaitable[Any]) -> Any:
    try:
        return await write
    except (NotThere, PreconditionFailed) as error:
        raise WriteRefused(
            f"The row to be written is gone: {error.message}",
            hint="Give the command again: it makes what is missing.",
        ) from error
    except (Refused, RequestRejected) as error:
        said = f" It says: {error.excerpt}" if error.excerpt else ""
        raise WriteRefused(
            f"Dataverse refuses the write: {error.message}{said}",
            hint="`mailbox-guard dataverse role` lists the privileges that registering needs.",
        ) from error


def _endpoint_from(row: Mapping[str, Any]) -> Endpoint:
    return Endpoint(
        id=_id(row, "serviceendpointid"),
        url=_text(row.get("url")).rstrip("/"),
        contract=_number(row.get("contract")),
        authtype=_number(row.get("authtype")),
        messageformat=_number(row.get("messageformat")),
        messagecharset=_number(row.get("messagecharset")),
        isauthvalueset=row.get("isauthvalueset") is True,
    )


def _step_from(row: Mapping[str, Any], images: Mapping[str, list[Image]]) -> Step:
    step_id = _id(row, "sdkmessageprocessingstepid")
    message, limit = row.get("sdkmessageid") or {}, row.get("sdkmessagefilterid") or {}
    return Step(
        id=step_id,
        message=_text(message.get("name")),
        table=_text(limit.get("primaryobjecttypecode")),
        mode=_number(row.get("mode")),
        stage=_number(row.get("stage")),
        rank=_number(row.get("rank")),
        filteringattributes=_names(row.get("filteringattributes")),
        eventhandler=_id(row, "_eventhandler_value") or None,
        statecode=_number(row.get("statecode")),
        canbebypassed=row.get("canbebypassed") is True,
        asyncautodelete=row.get("asyncautodelete") is True,
        impersonatinguserid=_id(row, "_impersonatinguserid_value") or None,
        supporteddeployment=_number(row.get("supporteddeployment")),
        invocationsource=_number(row.get("invocationsource")),
        description=_text(row.get("description")),
        images=tuple(images.get(step_id, ())),
    )


def _id(row: Mapping[str, Any], name: str) -> str:
    return _text(row.get(name)).strip("{}").lower()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    """Return a choice or a rank; what is none, or is left empty, is its default."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _names(value: Any) -> frozenset[str]:
    return frozenset(one.strip().lower() for one in _text(value).split(",") if one.strip())


def _setting(value: Any, name: str) -> bool | None:
    """Return a setting of the organisation's XML; one that is not there has its default, off.

    None for what can't be read. Entities are never expanded: a text that declares any is refused.
    """
    text = _text(value)
    if not text.strip():
        return False
    if len(text) > _MOST_SETTINGS or "<!" in text:
        return None
    try:
        found = ET.fromstring(text).findtext(f".//{name}")  # noqa: S314 - declares no entity.
    except ET.ParseError:
        return None
    return (found or "").strip().casefold() == "true"
