"""`/system`: how the process stands, what it was told to be, and who asks."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.api.access import Reader
from console.api.parts import answer, parts_of
from console.api.shapes import SystemGiven
from console.readings.settings import list_settings

router: Final = APIRouter(tags=["system"])


@router.get(
    "/system",
    response_model=SystemGiven,
    summary="Show readiness, version, settings without secrets, and who you are",
)
async def show_system(request: Request, person: Reader) -> Response:
    """`readiness` is what `/readyz` answers."""
    parts = parts_of(request)
    return answer(
        {
            "version": parts.version,
            "readiness": await parts.readiness(),
            "settings": list_settings(parts.settings),
            "you": {
                "name": person.name,
                "object_id": person.object_id,
                "proof": person.proof.value,
                "roles": sorted(role.value for role in person.roles),
            },
        }
    )
