"""Whether Graph and Dataverse answer, and whether their clocks agree with ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from cloud.errors import CloudError, Refused, TokenRefused, TokenUnavailable
from console.doctor.diagnosis import Diagnosis, Severity
from console.doctor.installation import Installation, Prerequisite
from console.doctor.probe import Probe

NAMES = {Prerequisite.GRAPH: "Microsoft Graph", Prerequisite.DATAVERSE: "Dataverse"}
UNKNOWN_TO_ENTRA = "Entra gives the guard no token"
# A `Date` has no parts of a second, and an answer takes its time.
CLOSE = timedelta(seconds=5)
FAR = timedelta(seconds=60)


class ServicesAnswer(Probe):
    """Graph and Dataverse answer the guard."""

    code = "services-answer"
    looks_at = "One harmless question to Graph and one to Dataverse."
    worst = Severity.ERROR
    means = "What a decision needs of this service is missing, and guarded edits are rejected."
    mend = (
        "Check MAILBOX_GUARD_GRAPH_URL, _DATAVERSE_URL and _CA_BUNDLE_FILE, the network, and the "
        "application user in Dataverse."
    )

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Ask both, and note in `house.lacking` which of them does not answer."""
        if house.guard.connections is None:
            for need in NAMES:
                house.lacking[need] = UNKNOWN_TO_ENTRA
            return []
        both = await asyncio.gather(
            self._one(house, Prerequisite.GRAPH, house.connected().tenant.answered_at),
            self._one(house, Prerequisite.DATAVERSE, house.myself),
        )
        return [one for one in both if one is not None]

    async def _one(
        self, house: Installation, need: Prerequisite, ask: Callable[[], Awaitable[object]]
    ) -> Diagnosis | None:
        name = NAMES[need]
        try:
            await ask()
        except (TokenRefused, TokenUnavailable):
            # That there is no token is told where tokens are asked for.
            house.lacking[need] = UNKNOWN_TO_ENTRA
            return None
        except Refused as error:
            if need is Prerequisite.GRAPH and error.status == 403:
                return self.well("It answers.", about=name)
            house.lacking[need] = f"{name} refuses the guard"
            return self.found(Severity.ERROR, error.message, about=name, mend=error.hint)
        except CloudError as error:
            house.lacking[need] = f"{name} does not answer"
            return self.found(Severity.ERROR, error.message, about=name, mend=error.hint)
        return self.well("It answers.", about=name)


class ClockAgrees(Probe):
    """Our clock and those of the services show the same time."""

    code = "clock-agrees"
    looks_at = "This machine's clock against the `Date` of an answer of Graph and of Dataverse."
    worst = Severity.ERROR
    means = (
        "Exceptions end, evidence ages and tokens are valid by this clock; off by minutes, Entra "
        "refuses assertions and approvals rest or last too long."
    )
    mend = "Let the machine follow a time server (chrony, systemd-timesyncd, the host's clock)."
    needs = frozenset({Prerequisite.GRAPH, Prerequisite.DATAVERSE})

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Compare with both."""
        connections, me = house.connected(), await house.myself()

        async def of_dataverse() -> datetime | None:
            row = await connections.dataverse.get(
                "systemusers", me.user_id, select=("systemuserid",), reason="doctor: ask the time"
            )
            return None if row is None else row.answered_at

        return [
            await self._one(house, NAMES[Prerequisite.GRAPH], connections.tenant.answered_at),
            await self._one(house, NAMES[Prerequisite.DATAVERSE], of_dataverse),
        ]

    async def _one(
        self, house: Installation, name: str, ask: Callable[[], Awaitable[datetime | None]]
    ) -> Diagnosis:
        try:
            theirs = await ask()
        except Refused:
            theirs = None
        if theirs is None:
            return self.not_known("The answer told no time.", about=name)
        off = abs(house.clock.now() - theirs)
        told = f"The clocks differ by {off.total_seconds():.0f} seconds."
        if off <= CLOSE:
            return self.well(told, about=name)
        return self.found(Severity.WARN if off <= FAR else Severity.ERROR, told, about=name)
