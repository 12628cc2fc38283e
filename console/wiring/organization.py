"""One installation serves one organisation: the setting and Dataverse's own word must agree."""

from __future__ import annotations

from kernel.errors import Conflict
from kernel.settings import Settings


class OrganizationDiffers(Conflict):
    """Dataverse says that it is another organisation than the one that was configured."""

    code = "organization-differs"
    exit_code = 2


def agreed_organization(settings: Settings, learnt: str) -> str:
    """Return the organisation that answered; raises OrganizationDiffers when it is another one."""
    wanted = settings.organization_id.strip("{}").lower()
    if wanted and wanted != learnt:
        raise OrganizationDiffers(
            f"Dataverse is organisation {learnt}, but MAILBOX_GUARD_ORGANIZATION_ID says {wanted}.",
            hint="Correct MAILBOX_GUARD_DATAVERSE_URL or MAILBOX_GUARD_ORGANIZATION_ID.",
        )
    return learnt
