"""The tenant itself as Graph tells it: its domains, its directory roles, its time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloud.call import Answer
from cloud.client import Client
from cloud.odata import literal, query, rows_of

Item = dict[str, Any]
_TENANT = ("id", "displayName", "verifiedDomains")


class Tenant(Client):
    """The calls about the tenant, each with its deadline and its reason."""

    async def answered_at(self, *, reason: str = "ask the time") -> datetime | None:
        """Return the moment of an answer by Graph's own clock; None when it tells none."""
        answer = await self._get(f"/organization{query({'$select': 'id'})}", reason=reason)
        return answer.answered_at

    async def domains(self, *, reason: str = "read the tenant's domains") -> tuple[str, ...]:
        """Return the verified domains in lower case, the default one first.

        Raises Refused without a permission to read the organisation.
        """
        options = query({"$select": ",".join(_TENANT)})
        answer = await self._get(f"/organization{options}", reason=reason)
        found: dict[str, bool] = {}
        for tenant in rows_of(answer, answer.json_object()):
            listed = tenant.get("verifiedDomains")
            for domain in listed if isinstance(listed, list) else ():
                if isinstance(domain, Mapping) and isinstance(domain.get("name"), str):
                    found[domain["name"].lower()] = domain.get("isDefault") is True
        return tuple(sorted(found, key=lambda name: (not found[name], name)))

    async def role_templates(
        self, *, reason: str = "read the templates of directory roles"
    ) -> dict[str, str]:
        """Return the names of all directory roles by the ids of their templates."""
        options = query({"$select": "id,displayName"})
        answer = await self._get(f"/directoryRoleTemplates{options}", reason=reason)
        return {
            str(one.get("id") or "").lower(): str(one.get("displayName") or "")
            for one in rows_of(answer, answer.json_object())
        }

    async def holders_of_proxy(
        self, address: str, *, reason: str = "find who holds an address, as it is spelled"
    ) -> list[str]:
        """Return the object ids that the index knows for `smtp:` and the address, spelled so."""
        term = f"proxyAddresses/any(p:p eq {literal('smtp:' + address)})"
        options = query({"$filter": term, "$count": "true", "$select": "id"})
        answer = await self._get(f"/users{options}", reason=reason, eventual=True)
        return [str(one.get("id")) for one in rows_of(answer, answer.json_object())]

    async def some_address(self, *, reason: str = "find an address to ask with") -> str | None:
        """Return the address of some user who has one; None when the first page has none."""
        options = query({"$select": "id,mail", "$top": "50"})
        answer = await self._get(f"/users{options}", reason=reason)
        mails = (one.get("mail") for one in rows_of(answer, answer.json_object()))
        return next((mail for mail in mails if isinstance(mail, str) and mail), None)

    async def _get(self, path: str, *, reason: str, eventual: bool = False) -> Answer:
        headers = {"ConsistencyLevel": "eventual"} if eventual else {}
        return await self._transport.send(self._call("GET", path, headers=headers, reason=reason))
