"""The Dataverse Web API as guard and sync need it: rows read, keyed writes, roles of a user.

Every write of a row is keyed: by the etag, or by a primary key that the caller chose. So the
transport may repeat it. An action is not, and is never repeated. Sources: dataverse.md sections 2.5
and 6.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud.call import Answer, Call, CallClass
from cloud.classify import DUPLICATE_KEY_CODES, error_of
from cloud.client import Client
from cloud.errors import BadAnswer, NotThere, RequestRejected, Unknown
from cloud.odata import is_guid, literal, own_link, query, rows_of, segment
from cloud.odata import select as columns_of
from kernel.errors import Bug

Row = dict[str, Any]


class AnsweredRow(dict[str, Any]):
    """The row of one answer; `answered_at` is when it was given, by the clock of the service."""

    answered_at: datetime | None = None


class RowPage(list[Row]):
    """The rows of one answer; `answered_at` is when it was given, by the clock of the service."""

    answered_at: datetime | None = None


LOOKUP_TYPE = "@Microsoft.Dynamics.CRM.lookuplogicalname"
# "Resource not found for the segment": the table or function is unknown, not the row.
_NO_SUCH_PATH_CODES = frozenset({"0x80060888", "0x8006088a"})
_FORMATTED = "@OData.Community.Display.V1.FormattedValue"
_ROLE_SELECT = ("roleid", "name", "_parentrootroleid_value", "_roletemplateid_value")


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """The organisation that answers, and the user that the app is in it."""

    organization_id: str
    user_id: str
    business_unit_id: str


@dataclass(frozen=True, slots=True)
class Role:
    """A security role; `root_role_id` is the one it was copied from into its business unit.

    `template_name` is that of the platform's template, where the answer tells it; nobody can give a
    template a name.
    """

    role_id: str
    name: str
    template_id: str | None = None
    root_role_id: str | None = None
    template_name: str | None = None


class Dataverse(Client):
    """The calls to one Dataverse organisation, each with its deadline and its reason."""

    # Reads

    async def who_am_i(self) -> WhoAmI:
        """Return the organisation and our own user in it."""
        answer = await self._get("/WhoAmI", reason="learn the organisation")
        body = answer.json_object()
        try:
            return WhoAmI(
                organization_id=str(body["OrganizationId"]).lower(),
                user_id=str(body["UserId"]).lower(),
                business_unit_id=str(body.get("BusinessUnitId") or "").lower(),
            )
        except KeyError as error:
            raise BadAnswer(f"WhoAmI came without {error}.", status=answer.status) from None

    async def get(
        self,
        entity_set: str,
        row_id: str,
        *,
        select: Sequence[str] = (),
        expand: str | None = None,
        reason: str = "read a row",
    ) -> AnsweredRow | None:
        """Return the row with `@odata.etag` and the annotations of its lookups; None for none.

        Raises NotThere for a 404 that speaks of the path, or has no code of Dataverse's at all.
        """
        options = query({"$select": columns_of(select), "$expand": expand})
        try:
            answer = await self._get(
                f"/{entity_set}({_key(row_id)}){options}", reason=reason, annotated=True
            )
        except NotThere as error:
            if not error.service_code or error.service_code.lower() in _NO_SUCH_PATH_CODES:
                raise
            return None
        row = AnsweredRow(answer.json_object())
        row.answered_at = answer.answered_at
        return row

    async def pages(
        self,
        entity_set: str,
        *,
        select: Sequence[str] = (),
        filter: str | None = None,
        page_size: int = 500,
        orderby: str | None = None,
        expand: str | None = None,
        reason: str = "list rows",
    ) -> AsyncIterator[RowPage]:
        """Yield the rows page by page, as the service cuts them.

        `filter` is OData text: quote its strings with `cloud.odata.literal`.
        """
        options = query(
            {
                "$select": columns_of(select),
                "$filter": filter,
                "$orderby": orderby,
                "$expand": expand,
            }
        )
        link: str | None = f"/{entity_set}{options}"
        while link is not None:
            answer = await self._get(link, reason=reason, annotated=True, page_size=page_size)
            page = answer.json_object()
            rows = RowPage(rows_of(answer, page))
            rows.answered_at = answer.answered_at
            yield rows
            following = own_link(self._service, page.get("@odata.nextLink"))
            if following == link:
                raise BadAnswer(f"{reason}: the next page is the same page.")
            link = following

    async def rows(
        self,
        entity_set: str,
        *,
        select: Sequence[str] = (),
        filter: str | None = None,
        reason: str = "list rows",
    ) -> list[Row]:
        """Return the rows of all pages; for what is known to be few."""
        pages = self.pages(entity_set, select=select, filter=filter, reason=reason)
        return [row async for page in pages for row in page]

    async def roles_of(self, user_id: str, *, reason: str = "read a user's roles") -> list[Role]:
        """Return the roles assigned to the user directly; raises NotThere for no such user."""
        path = f"systemusers({_key(user_id)})/systemuserroles_association"
        return [_role(row) for row in await self.rows(path, select=_ROLE_SELECT, reason=reason)]

    async def team_roles_of(
        self, user_id: str, *, reason: str = "read a user's team roles"
    ) -> list[Role]:
        """Return the roles of the teams that the user belongs to, each once."""
        expand = f"teamroles_association($select={','.join(_ROLE_SELECT)})"
        path = f"systemusers({_key(user_id)})/teammembership_association"
        found: dict[str, Role] = {}
        pages = self.pages(
            path, select=("teamid", "name", "teamtype"), expand=expand, reason=reason
        )
        async for page in pages:
            for team in page:
                for row in await self._roles_of_team(team, reason):
                    role = _role(row)
                    found.setdefault(role.role_id, role)
        return list(found.values())

    async def has_privilege(
        self, user_id: str, privilege_name: str, *, reason: str = "check a user's privilege"
    ) -> bool:
        """Tell whether the user holds the privilege, through any role, direct or by team."""
        function = (
            "Microsoft.Dynamics.CRM.RetrieveUserPrivilegeByPrivilegeName"
            f"(PrivilegeName={segment(literal(privilege_name))})"
        )
        answer = await self._get(f"/systemusers({_key(user_id)})/{function}", reason=reason)
        privileges = answer.json_object().get("RolePrivileges")
        if not isinstance(privileges, list):
            raise BadAnswer("The privileges of a user came without a list.", status=answer.status)
        return bool(privileges)

    async def privileges_of(
        self, user_id: str, *, reason: str = "read a user's privileges"
    ) -> frozenset[str]:
        """Return the names of all privileges of a user, through any role, direct or by team."""
        path = f"/systemusers({_key(user_id)})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
        answer = await self._get(path, reason=reason)
        privileges = answer.json_object().get("RolePrivileges")
        names = [
            one.get("PrivilegeName") if isinstance(one, dict) else None
            for one in (privileges if isinstance(privileges, list) else [None])
        ]
        if not all(isinstance(name, str) and name for name in names):
            raise BadAnswer("The privileges of a user came without names.", status=answer.status)
        return frozenset(str(name) for name in names)

    async def has_change_tracking(
        self, table: str, *, reason: str = "read whether changes are tracked"
    ) -> bool | None:
        """Return whether the table's changes can be asked for; None when that isn't told."""
        path = f"/EntityDefinitions(LogicalName={segment(literal(table))})"
        options = query({"$select": "ChangeTrackingEnabled"})
        answer = await self._get(path + options, reason=reason)
        tracked = answer.json_object().get("ChangeTrackingEnabled")
        return tracked if isinstance(tracked, bool) else None

    # Keyed writes

    async def update(
        self,
        entity_set: str,
        row_id: str,
        values: Mapping[str, Any],
        *,
        if_match: str,
        failpoint: str,
        tag: str | None = None,
        bypass_steps: Sequence[str] = (),
        reason: str = "update a row",
    ) -> None:
        """Change the row if it still has that etag ("*": if it exists), never create one.

        Raises PreconditionFailed for a newer row, NotThere for none, WebhookRejected; and Unknown
        when an earlier attempt of this very call may be what made the row newer.
        """
        headers = {"If-Match": if_match}
        if bypass_steps:
            headers["MSCRM.BypassBusinessLogicExecutionStepIds"] = ",".join(bypass_steps)
        call = self._write(
            f"/{entity_set}({_key(row_id)}){query({'tag': tag})}",
            values,
            headers=headers,
            failpoint=failpoint,
            reason=reason,
            accept=frozenset({412}),
        )
        answer = await self._transport.send(call)
        if answer.status != 412:
            return
        refused = error_of(call, answer)
        if not answer.unsure:
            raise refused
        raise Unknown(
            f"{reason}: the row has changed, perhaps by an earlier attempt of ours.",
            hint="Read the row and compare.",
            until=self._transport.now(),
            status=412,
            service_code=refused.service_code,
            request_id=refused.request_id,
            client_request_id=refused.client_request_id,
        )

    async def create_if_absent(
        self,
        entity_set: str,
        row_id: str,
        values: Mapping[str, Any],
        *,
        failpoint: str,
        tag: str | None = None,
        reason: str = "create a row",
    ) -> bool:
        """Create the row under that id; True when made, False when it was there before.

        False is also the answer when an earlier attempt of this call made it.
        """
        call = self._write(
            f"/{entity_set}({_key(row_id)}){query({'tag': tag})}",
            values,
            headers={"If-None-Match": "*"},
            failpoint=failpoint,
            reason=reason,
            accept=frozenset({412}),
        )
        try:
            answer = await self._transport.send(call)
        except RequestRejected as error:
            if error.service_code.lower() in DUPLICATE_KEY_CODES:
                return False
            raise
        if answer.status == 412:
            refused = error_of(call, answer)
            if isinstance(refused, RequestRejected):
                raise refused
        return answer.status != 412

    async def remove(
        self, entity_set: str, row_id: str, *, failpoint: str, reason: str = "remove a row"
    ) -> bool:
        """Remove the row; False when there was none, or an earlier attempt of ours removed it."""
        call = self._call(
            "DELETE",
            f"/{entity_set}({_key(row_id)})",
            headers={"OData-MaxVersion": "4.0", "OData-Version": "4.0"},
            call_class=CallClass.KEYED_WRITE,
            failpoint=failpoint,
            reason=reason,
        )
        try:
            await self._transport.send(call)
        except NotThere as error:
            if not error.service_code or error.service_code.lower() in _NO_SUCH_PATH_CODES:
                raise
            return False
        return True

    # Actions

    async def act(
        self, name: str, parameters: Mapping[str, Any], *, failpoint: str, reason: str
    ) -> None:
        """Call an unbound action once.

        Raises Unknown when it may have been carried out all the same: look before calling again.
        """
        call = self._call(
            "POST",
            f"/{name}",
            headers={"OData-MaxVersion": "4.0", "OData-Version": "4.0"},
            json=dict(parameters),
            call_class=CallClass.SEND,
            failpoint=failpoint,
            reason=reason,
        )
        await self._transport.send(call)

    # How requests are made

    async def _roles_of_team(self, team: Row, reason: str) -> list[Row]:
        expanded = team.get("teamroles_association")
        if isinstance(expanded, list) and "teamroles_association@odata.nextLink" not in team:
            return [row for row in expanded if isinstance(row, dict)]
        path = f"teams({_key(str(team.get('teamid') or ''))})/teamroles_association"
        return await self.rows(path, select=_ROLE_SELECT, reason=reason)

    async def _get(
        self,
        path_or_link: str,
        *,
        reason: str,
        annotated: bool = False,
        page_size: int | None = None,
    ) -> Answer:
        preferences = ['odata.include-annotations="*"'] if annotated else []
        if page_size is not None:
            preferences.append(f"odata.maxpagesize={page_size}")
        headers = {
            "OData-MaxVersion": "4.0",
            "OData-Version": "4.0",
            "If-None-Match": "null",
            **({"Prefer": ",".join(preferences)} if preferences else {}),
        }
        return await self._transport.send(
            self._call("GET", path_or_link, headers=headers, reason=reason)
        )

    def _write(
        self,
        path: str,
        values: Mapping[str, Any],
        *,
        headers: Mapping[str, str],
        failpoint: str,
        reason: str,
        accept: frozenset[int],
    ) -> Call:
        return self._call(
            "PATCH",
            path,
            headers={"OData-MaxVersion": "4.0", "OData-Version": "4.0", **headers},
            json=dict(values),
            call_class=CallClass.KEYED_WRITE,
            failpoint=failpoint,
            reason=reason,
            accept=accept,
        )


def _key(row_id: str) -> str:
    """Return a primary key as it stands in a path; raises Bug for what is no GUID."""
    key = row_id.strip("{}").lower()
    if not is_guid(key):
        raise Bug(f"A Dataverse row is named by something that is no GUID: {row_id[:60]!r}")
    return key


def _role(row: Row) -> Role:
    return Role(
        role_id=str(row.get("roleid") or "").lower(),
        name=str(row.get("name") or ""),
        template_id=_lower(row.get("_roletemplateid_value")),
        root_role_id=_lower(row.get("_parentrootroleid_value")),
        template_name=row.get(f"_roletemplateid_value{_FORMATTED}"),
    )


def _lower(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) and value else None
