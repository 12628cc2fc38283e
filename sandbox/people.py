"""The people and roles of the sample tenant, as plain data."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sandbox.directory import EXCHANGE_ADMINISTRATOR, GLOBAL_ADMINISTRATOR

DOMAIN = "contoso.com"
PASSWORD = "Sample-Password-1"  # noqa: S105 - a sandbox's people have no secrets.
_NAMESPACE = uuid.UUID("8d2f4f2c-6a0b-4b1e-9a55-3f1c5a0d7e21")


def stable_id(name: str) -> str:
    """Return the id that this name has in every sandbox."""
    return str(uuid.uuid5(_NAMESPACE, name))


SYSTEM_ADMINISTRATOR = "System Administrator"
DELEGATED_APPROVER = "Delegated Mailbox Approver"
SERVICE_DESK = "Service Desk"
BASIC_USER = "Basic User"
DELEGATE = "Delegate"


@dataclass(frozen=True, slots=True)
class Sample:
    """One of the tenant's people: alias, title, security roles, directory roles."""

    alias: str
    title: str
    roles: tuple[str, ...] = (BASIC_USER,)
    directory_roles: tuple[str, ...] = ()
    approved: bool = True
    aliases: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """The person's address and user principal name."""
        return f"{self.alias}@{DOMAIN}"

    @property
    def object_id(self) -> str:
        """The id of the user object in the directory."""
        return stable_id(f"entra/{self.alias}")

    @property
    def user_id(self) -> str:
        """The id of the systemuser row."""
        return stable_id(f"systemuser/{self.alias}")

    @property
    def mailbox_id(self) -> str:
        """The id of the mailbox row."""
        return stable_id(f"mailbox/{self.alias}")


CEO = Sample("ceo", "Chief Executive", aliases=("chief",))
CFO = Sample("cfo", "Chief Financial Officer")
ANNA = Sample("anna", "Anna (Sales)", aliases=("anna.sales",))
BOB = Sample("bob", "Bob (Support)", approved=False)
# This one may approve: both roles, which give the privilege.
APPROVER = Sample("approver", "Mailbox Approver", roles=(SYSTEM_ADMINISTRATOR, DELEGATED_APPROVER))
EXCHANGE_ADMIN = Sample(
    "exchange.admin",
    "Exchange Administrator",
    roles=(SYSTEM_ADMINISTRATOR,),
    directory_roles=(EXCHANGE_ADMINISTRATOR,),
)
GLOBAL_ADMIN = Sample(
    "global.admin",
    "Global Administrator",
    roles=(SYSTEM_ADMINISTRATOR,),
    directory_roles=(GLOBAL_ADMINISTRATOR,),
)
# This one holds System Administrator alone, which is not enough.
ADMIN = Sample("admin", "Unqualified Administrator", roles=(SYSTEM_ADMINISTRATOR,))
DESK = Sample("desk", "Service Desk Agent", roles=(BASIC_USER, SERVICE_DESK))

SAMPLES = (CEO, CFO, ANNA, BOB, APPROVER, EXCHANGE_ADMIN, GLOBAL_ADMIN, ADMIN, DESK)
BY_ALIAS = {sample.alias: sample for sample in SAMPLES}

ORGANIZATION_ID = stable_id("organization")
BUSINESS_UNIT_ID = stable_id("businessunit")
# The units below the root, each with who is in it: Inside Sales lies below Sales.
SALES_UNIT_ID = stable_id("businessunit/sales")
INSIDE_SALES_UNIT_ID = stable_id("businessunit/inside sales")
UNIT_OF = {"anna": INSIDE_SALES_UNIT_ID}
TENANT_ID = stable_id("tenant")
SYSTEM_USER_ID = stable_id("systemuser/SYSTEM")
PROFILE_ID = stable_id("emailserverprofile")
SUPPORT_QUEUE_ID = stable_id("queue/support")
SUPPORT_MAILBOX_ID = stable_id("mailbox/support")
SUPPORT_OBJECT_ID = stable_id("entra/support")
GUARD_CLIENT_ID = stable_id("app/guard")
GUARD_USER_ID = stable_id("systemuser/guard")
SYNC_CLIENT_ID = stable_id("app/sync")
SYNC_USER_ID = stable_id("systemuser/sync")
PUBLIC_CLIENT_ID = stable_id("app/public")

# Where the guard's application may return to after a sign-in; for localhost any port will do.
CONSOLE_RETURN = "http://localhost/sign-in/entra/return"
# Who has which app role of the guard's application.
APP_ROLES = {
    APPROVER.object_id: {"Approver"},
    EXCHANGE_ADMIN.object_id: {"Operator"},
    GLOBAL_ADMIN.object_id: {"Approver", "Operator"},
    ADMIN.object_id: {"Reader"},
}


def role_id(name: str) -> str:
    """Return the id of a security role's row."""
    return stable_id(f"role/{name}")
