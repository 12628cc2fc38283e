"""One installation serves one organisation: the setting and Dataverse's own word must agree."""

from __future__ import annotations

from kernel.errors import Conflict
from kernel.settings import Settings


class OrganizationDiffers(Conflict):
    """Dataverse says that it is another organisation than the one that was configured or known."""

    code = "organization-differs"
    exit_code = 2


def agreed_organization(settings: Settings, learnt: str, *, known: str | None = None) -> str:
    """Return the organisation that answered, which is the configured one and the one known so far.

    Raises OrganizationDiffers when it is another one.
    """
    wanted = settings.organization_id.strip("{}").lower()
    if wanted and wanted != learnt:
        raise OrganizationDiffers(
            f"Dataverse is organisation {learnt}, but MAILBOX_GUARD_ORGANIZATION_ID says {wanted}.",
            hint="Correct MAILBOX_GUARD_DATAVERSE_URL or MAILBOX_GUARD_ORGANIZATION_ID.",
        )
    if known is not None and known != learnt:
        raise OrganizationDiffers(
            f"Dataverse is organisation {learnt}, but was {known} until now.",
            hint="Find out why MAILBOX_GUARD_DATAVERSE_URL leads elsewhere; if it is meant to, "
            "start the process again.",
        )
    return learnt
