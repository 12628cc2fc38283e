"""The rows that deliveries told of are read soon, whatever the interval of the reconciliation."""

from __future__ import annotations

from guard.ledger import mirror
from guard.ledger.entry import MirrorRow
from guard.ledger.port import Ledger
from guard.ports.rows import Rows
from guard.record import DecisionRecorder
from guard.told import ToldRows
from guard.watch.differences import Differences
from kernel.database import Database
from kernel.errors import GuardError
from kernel.failpoints import failpoint
from kernel.log import get_logger

READ = failpoint("guard.told-read", "A row that a delivery told of is remembered as it was read.")

# So many are read at once; the others come next.
MOST_READ = 20
log = get_logger("guard")


class ToldReader:
    """Reads what deliveries told of; `rows` should have no share that others need.

    Whoever has the webhook key can tell of any number of rows.
    """

    def __init__(
        self,
        database: Database,
        rows: Rows,
        ledger: Ledger,
        recorder: DecisionRecorder,
        told: ToldRows,
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._told = told
        self._differences = Differences(rows, ledger)

    async def read(self) -> None:
        """Read the rows that were told of first, and take over what is explained.

        What is not explained is left to the reconciliation, and so is what can't be read now.
        """
        for name, record_id in self._told.take(MOST_READ):
            try:
                found = await self._differences.read(name, record_id, now=self._recorder.now())
                explained = None if found is None else await self._differences.explained(found)
                if explained is None or explained.unconfirmed or explained.copy is None:
                    continue
                await self._keep(explained.copy)
            except GuardError as error:
                log.warning("told_row_not_read", record_id=record_id, error=str(error))

    async def _keep(self, copy: MirrorRow) -> None:
        await self._database.write(lambda c: mirror.keep(c, copy), failpoint=READ)
