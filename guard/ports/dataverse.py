"""The port Rows over the Dataverse Web API: rows become flat columns, columns become a PATCH."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cloud.dataverse import LOOKUP_TYPE, Dataverse, Role
from cloud.errors import NotThere, PreconditionFailed, Refused, RequestRejected, WebhookRejected
from cloud.odata import is_guid, literal
from guard.columns.table import MAILBOX, SYSTEMUSER, TABLES, GuardedTable, select_of
from guard.ports.rows import (
    AddressElsewhere,
    BusinessUnit,
    HeldRole,
    Myself,
    RowChanged,
    StoredRow,
    UserRow,
    WriteRefused,
)
from kernel.errors import Unavailable
from kernel.failpoints import failpoint
from rules.model.change import Value

REVERT_WRITE = failpoint("guard.revert-write", "Guarded columns are written back into Dataverse.")

CANNOT_MODIFY_ADDRESS = "0x8005e208"
_USER_SELECT = (
    "systemuserid",
    "domainname",
    "azureactivedirectoryobjectid",
    "applicationid",
    "accessmode",
)
# What a lookup of a guarded row may lead to.
_ENTITY_SETS = {"team": "teams", "emailserverprofile": "emailserverprofiles"} | {
    table.name: table.entity_set for table in TABLES.values()
}


class DataverseRows:
    """Dataverse through its Web API; `own_steps` are skipped by the guard's own writes."""

    def __init__(self, dataverse: Dataverse, *, own_steps: Sequence[str] = ()) -> None:
        self._dataverse = dataverse
        self._own_steps = tuple(own_steps)

    async def myself(self) -> Myself:
        """Ask WhoAmI."""
        found = await self._dataverse.who_am_i()
        return Myself(found.organization_id, found.user_id)

    async def row(self, table: str, record_id: str) -> StoredRow | None:
        """Read one guarded row."""
        guarded = TABLES[table]
        found = await self._dataverse.get(
            guarded.entity_set, record_id, select=_select(guarded), reason="guard: read a row"
        )
        if found is None:
            return None
        return stored_row_from(guarded, found, answered_at=found.answered_at)

    async def pages(
        self, table: str, *, written_by: str | None = None
    ) -> AsyncIterator[Sequence[StoredRow]]:
        """List the rows of a guarded table."""
        guarded, reason = TABLES[table], f"guard: compare every {table}"
        if written_by is not None:
            reason = f"guard: find what it wrote on {table}"
        async for page in self._dataverse.pages(
            guarded.entity_set,
            select=_select(guarded),
            filter=None if written_by is None else f"_modifiedby_value eq {written_by}",
            reason=reason,
        ):
            yield [stored_row_from(guarded, item, answered_at=page.answered_at) for item in page]

    async def mailboxes_of(self, owner_id: str) -> Sequence[StoredRow]:
        """List the mailboxes of a user or queue."""
        found = await self._dataverse.rows(
            MAILBOX.entity_set,
            select=_select(MAILBOX),
            filter=f"_regardingobjectid_value eq {owner_id}",
            reason="guard: find the mailboxes of an owner",
        )
        return [stored_row_from(MAILBOX, item) for item in found]

    async def user(self, user_id: str) -> UserRow | None:
        """Read a system user."""
        found = await self._dataverse.get(
            "systemusers", user_id, select=_USER_SELECT, reason="guard: read a user"
        )
        return None if found is None else _user_from(user_id, found)

    async def users_named(self, *, object_id: str | None, upn: str | None) -> Sequence[UserRow]:
        """List the system users with that object id or sign-in name."""
        terms = [f"domainname eq {literal(upn)}"] if upn is not None else []
        # A GUID is written without quotes; what is none can be nobody's.
        if object_id is not None and is_guid(object_id):
            terms.append(f"azureactivedirectoryobjectid eq {object_id}")
        if not terms:
            return []
        found = await self._dataverse.rows(
            SYSTEMUSER.entity_set,
            select=_USER_SELECT,
            filter=" or ".join(terms),
            reason="guard: find the user rows of a person",
        )
        return [_user_from(str(item.get("systemuserid") or "").lower(), item) for item in found]

    async def business_unit_of(self, table: str, record_id: str) -> str | None:
        """Read the business unit of a user or a team."""
        found = await self._dataverse.get(
            _ENTITY_SETS[table],
            record_id,
            select=("_businessunitid_value",),
            reason="guard: read whose business unit it is",
        )
        return None if found is None else _guid(found.get("_businessunitid_value"))

    async def business_units(self) -> Mapping[str, BusinessUnit]:
        """List every business unit; an organisation has some dozens."""
        units: dict[str, BusinessUnit] = {}
        async for page in self._dataverse.pages(
            "businessunits",
            select=("businessunitid", "name", "_parentbusinessunitid_value"),
            reason="guard: read the business units",
        ):
            for item in page:
                unit_id, name = _guid(item.get("businessunitid")), _text(item.get("name"))
                if unit_id is not None and name is not None:
                    parent = _guid(item.get("_parentbusinessunitid_value"))
                    units[unit_id] = BusinessUnit(name, parent)
        return units

    async def roles_of(self, user_id: str) -> Sequence[HeldRole]:
        """Read the direct roles."""
        return _held(await self._dataverse.roles_of(user_id))

    async def team_roles_of(self, user_id: str) -> Sequence[HeldRole]:
        """Read the roles through teams."""
        return _held(await self._dataverse.team_roles_of(user_id))

    async def has_privilege(self, user_id: str, name: str) -> bool:
        """Ask for one privilege, by any role."""
        return await self._dataverse.has_privilege(user_id, name)

    async def update(
        self, table: str, record_id: str, columns: Mapping[str, Value], *, etag: str, tag: str
    ) -> None:
        """PATCH with If-Match and the tag."""
        try:
            await self._dataverse.update(
                TABLES[table].entity_set,
                record_id,
                odata_from(columns),
                if_match=etag,
                failpoint=REVERT_WRITE,
                tag=tag,
                bypass_steps=self._own_steps,
                reason="guard: restore guarded columns",
            )
        except (PreconditionFailed, NotThere) as error:
            raise RowChanged(error.message) from error
        except WebhookRejected as error:
            # A step of somebody, perhaps of our own endpoint while it restarts: trying again helps.
            raise Unavailable(
                f"A webhook stopped the write: {error.message}",
                hint="Look at the webhooks of the table; the write is tried again by itself.",
            ) from error
        except (Refused, RequestRejected) as error:
            if error.service_code.lower() == CANNOT_MODIFY_ADDRESS:
                raise AddressElsewhere(error.message) from error
            raise WriteRefused(
                f"Dataverse refuses the write: {error.message}",
                hint="Give the guard's application user the privileges that the guide names.",
            ) from error


def _user_from(user_id: str, item: Mapping[str, Any]) -> UserRow:
    mode = item.get("accessmode")
    return UserRow(
        id=user_id,
        upn=_text(item.get("domainname")),
        object_id=_guid(item.get("azureactivedirectoryobjectid")),
        application_id=_guid(item.get("applicationid")),
        access_mode=mode if isinstance(mode, int) else None,
    )


def _held(roles: Sequence[Role]) -> list[HeldRole]:
    return [
        HeldRole(one.role_id, one.name, one.template_id, one.root_role_id, one.template_name)
        for one in roles
    ]


def _select(table: GuardedTable) -> tuple[str, ...]:
    return (*select_of(table), "modifiedon", "_modifiedby_value", "_modifiedonbehalfby_value")


def stored_row_from(
    table: GuardedTable, item: Mapping[str, Any], *, answered_at: datetime | None = None
) -> StoredRow:
    """Return the row in a Web API answer; a selected column that is absent is empty."""
    columns: dict[str, Value] = {}
    for name, kind in table.carried.items():
        if kind == "lookup":
            wire = f"_{name}_value"
            columns[f"{name}.id"] = _guid(item.get(wire))
            columns[f"{name}.type"] = _text(item.get(wire + LOOKUP_TYPE))
        elif kind == "guid":
            columns[name] = _guid(item.get(name))
        else:
            columns[name] = item.get(name)
    return StoredRow(
        table=table.name,
        record_id=str(item.get(table.key) or "").lower(),
        etag=str(item.get("@odata.etag") or "*"),
        columns=columns,
        modified_at=_moment(item.get("modifiedon")),
        modified_by=_guid(item.get("_modifiedby_value")),
        on_behalf_by=_guid(item.get("_modifiedonbehalfby_value")),
        answered_at=answered_at,
    )


def odata_from(columns: Mapping[str, Value]) -> dict[str, Any]:
    """Return flat columns as the properties of a PATCH; lookups are bound."""
    properties: dict[str, Any] = {}
    for name, value in columns.items():
        base, _, part = name.partition(".")
        if part == "type":
            continue
        if part == "id":
            table = columns.get(f"{base}.type") or _DEFAULT_TARGETS.get(base)
            bound = None if value is None else f"/{_ENTITY_SETS[str(table)]}({value})"
            properties[f"{base}@odata.bind"] = bound
        else:
            properties[name] = value
    return properties


# Where a lookup leads whose value came without its table.
_DEFAULT_TARGETS = {"ownerid": SYSTEMUSER.name, "emailserverprofile": "emailserverprofile"}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _guid(value: Any) -> str | None:
    text = _text(value)
    if text is None or text.strip("0-") == "":
        return None
    return text.strip("{}").lower()


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
