"""A person who edits records in Dataverse with their own token, and what they get to see."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import httpx

from sandbox.server import Sandbox

API = "/api/data/v9.2"


@dataclass(frozen=True, slots=True)
class Seen:
    """What Dataverse answered to the person."""

    status: int
    code: str
    message: str

    @property
    def is_done(self) -> bool:
        """Whether the edit went through."""
        return self.status < 300

    def __str__(self) -> str:
        return f"HTTP {self.status}" + (f", {self.code}" if self.code else "")


class DemoPerson:
    """One of the sample tenant's people at work."""

    def __init__(self, sandbox: Sandbox, alias: str) -> None:
        self._sandbox = sandbox
        self._alias = alias

    async def update(
        self, entity_set: str, record_id: str, values: dict[str, Any], *, bypasses: bool = False
    ) -> Seen:
        """Change columns of a row; who may bypass goes past every synchronous step."""
        headers = {"MSCRM.BypassBusinessLogicExecution": "CustomSync"} if bypasses else {}
        return await self._send("PATCH", f"/{entity_set}({record_id})", values, headers)

    async def create(self, entity_set: str, values: dict[str, Any]) -> Seen:
        """Create a row."""
        return await self._send("POST", f"/{entity_set}", values)

    async def _send(
        self,
        method: str,
        path: str,
        values: dict[str, Any],
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> Seen:
        trust = ssl.create_default_context(cafile=str(self._sandbox.ca_bundle_file))
        headers = {
            "Authorization": f"Bearer {self._sandbox.user_token(self._alias)}",
            "OData-Version": "4.0",
            **({"If-Match": "*"} if method == "PATCH" else {}),
            **more,
        }
        async with httpx.AsyncClient(verify=trust, trust_env=False, timeout=60) as client:
            answer = await client.request(
                method, f"{self._sandbox.dataverse_url}{API}{path}", json=values, headers=headers
            )
        if answer.is_success:
            return Seen(answer.status_code, "", "")
        error = answer.json()["error"]
        return Seen(answer.status_code, error["code"], error["message"])
