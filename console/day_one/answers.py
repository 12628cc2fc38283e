"""What is known of an organisation on the first day: told by a person, or read from services."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cloud.odata import is_guid
from kernel.errors import InputRefused

DOMAIN = re.compile(
    r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?"
)
ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+'-]{0,63}@[A-Za-z0-9.-]{4,253}")
_DOMAIN_HINT = "Give a domain such as contoso.com; one with other letters in its encoded form."


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers, each checked.

    `vips` are addresses (any of a person's stands for all of theirs), `profiles` ids of server
    profiles. What nobody knows is empty; of domains and VIPs there is at least one each.
    """

    domains: tuple[str, ...]
    vips: tuple[str, ...]
    dataverse_url: str = ""
    tenant_id: str = ""
    client_id: str = ""
    profiles: tuple[str, ...] = ()
    approver_role_id: str = ""

    def __post_init__(self) -> None:
        """Raise InputRefused for what cannot stand in a policy folder."""
        if not self.domains:
            raise InputRefused("No domain is known of the organisation.", hint=_DOMAIN_HINT)
        for domain in self.domains:
            if not DOMAIN.fullmatch(domain):
                raise InputRefused(f"`{domain[:80]}` is no domain.", hint=_DOMAIN_HINT)
        if not self.vips:
            raise InputRefused(
                "Nobody is named whose mailbox others must not read.",
                hint="Give at least one address, such as the chief executive's.",
            )
        for vip in self.vips:
            if not ADDRESS.fullmatch(vip):
                raise InputRefused(f"`{vip[:80]}` is no address.", hint="Give one of their own.")
        for name, text in (
            ("server profile", self.profiles),
            ("role", (self.approver_role_id,) if self.approver_role_id else ()),
        ):
            for one in text:
                if not is_guid(one):
                    raise InputRefused(f"`{one[:80]}` is no id of a {name}.", hint="Give a GUID.")
