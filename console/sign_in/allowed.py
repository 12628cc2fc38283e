"""What a principal may do: by their app roles, and by how they are known."""

from __future__ import annotations

from console.sign_in.refusals import RoleMissing
from kernel.principal import AppRole, Principal, Proof


def require(principal: Principal, role: AppRole, *, gives: bool = False) -> None:
    """Pass when they may act in that role. Raises RoleMissing.

    What `gives` something back (an approval, a release, a resumption) takes a person whom Entra
    proves; to take away, the link will do.
    """
    if not principal.has(role):
        had = ", ".join(sorted(principal.roles)) or "no app role"
        raise RoleMissing(
            f"This takes the app role {role.value}; you have {had}.",
            hint="Whoever manages Entra assigns app roles.",
        )
    if gives and principal.proof is not Proof.ENTRA:
        raise RoleMissing(
            "Whoever came by the link may look, pause, withdraw and refuse, but give nothing back.",
            hint="Sign in with Entra (docs/console.md tells how to set it up), or give the command "
            "on this machine.",
        )
