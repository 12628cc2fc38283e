"""The principal of an action on the guard itself: who it is, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.words import DocumentedWord


class AppRole(DocumentedWord):
    """What a person may do here; the values are those of the app roles in Entra."""

    READER = "Reader", "May read everything that the guard shows."
    OPERATOR = "Operator", "May also pause, resume, withdraw, and release brakes."
    APPROVER = "Approver", "May read, and approve or refuse what is held."


class Proof(DocumentedWord):
    """How it is known who a person is."""

    ENTRA = "entra", "They signed in with Entra: the token names their object."
    LINK = "link", "They opened the one-time link that `serve` printed on this machine."
    ACCOUNT = "account", "They gave a command on this machine, under the name that they gave."


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts: `object_id` is their object in Entra, which only a sign-in proves."""

    name: str
    proof: Proof
    roles: frozenset[AppRole] = frozenset()
    object_id: str | None = None

    def has(self, role: AppRole) -> bool:
        """Return whether they have the role; whoever has any may read."""
        return role in self.roles or (role is AppRole.READER and bool(self.roles))

    @property
    def may_approve(self) -> bool:
        """Return whether their yes to something held counts: only of who is proved by Entra."""
        return self.proof is Proof.ENTRA and bool(self.object_id) and AppRole.APPROVER in self.roles
