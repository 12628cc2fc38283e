"""One installation serves one organisation: the setting, or what the database remembers, and
Dataverse's own word must agree.
"""

from __future__ import annotations

from kernel import organization
from kernel.database import Database
from kernel.errors import Conflict
from kernel.settings import Settings


class OrganizationDiffers(Conflict):
    """Dataverse says that it is another organisation than the one that was configured or known."""

    code = "organization-differs"
    exit_code = 2


def known_organization(settings: Settings, database: Database) -> str | None:
    """Return the configured organisation, or else the one that this database belongs to."""
    return _configured(settings) or database.read_now(organization.find)


async def remember_organization(database: Database, organization_id: str) -> None:
    """Let the database belong to the organisation; writes nothing when it does already."""
    if await database.read(organization.find) != organization_id:
        await database.write(
            lambda c: organization.remember(c, organization_id), failpoint=organization.REMEMBERED
        )


def _configured(settings: Settings) -> str | None:
    return settings.organization_id.strip("{}").lower() or None


def agreed_organization(settings: Settings, learnt: str, *, known: str | None = None) -> str:
    """Return the organisation that answered, which is the configured one and the one known so far.

    Raises OrganizationDiffers when it is another one.
    """
    wanted = _configured(settings)
    if wanted and wanted != learnt:
        raise OrganizationDiffers(
            f"Dataverse is organisation {learnt}, but MAILBOX_GUARD_ORGANIZATION_ID says {wanted}.",
            hint="Correct MAILBOX_GUARD_DATAVERSE_URL or MAILBOX_GUARD_ORGANIZATION_ID.",
        )
    if known is not None and known != learnt:
        raise OrganizationDiffers(
            f"Dataverse is organisation {learnt}, but was {known} until now.",
            hint="Find out why MAILBOX_GUARD_DATAVERSE_URL leads elsewhere. If it is meant to, "
            "give it a database of its own, or set MAILBOX_GUARD_ORGANIZATION_ID.",
        )
    return learnt
