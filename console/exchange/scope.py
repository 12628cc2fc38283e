"""The script that limits one application to the approved mailboxes: pure.

Two forms: role-based access control for applications (a management scope and role assignments),
and the older application access policy. Source: learn.microsoft.com/exchange, pages on RBAC for
Applications and New-ApplicationAccessPolicy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from console.exchange.powershell import comment, is_plain, quoted
from kernel.errors import InputRefused

ROLES = (
    "Application Mail.Read",
    "Application Mail.ReadBasic",
    "Application Mail.ReadWrite",
    "Application Mail.Send",
    "Application MailboxSettings.Read",
    "Application MailboxSettings.ReadWrite",
    "Application Calendars.Read",
    "Application Calendars.ReadWrite",
    "Application Contacts.Read",
    "Application Contacts.ReadWrite",
)
ATTRIBUTES = tuple(f"CustomAttribute{number}" for number in range(1, 16))
_UNCOVERED = (
    "What this cannot cover: Tasks.* (to-do lists have no role in Exchange, so access to them is "
    "tenant-wide), and what is no mailbox: User.Read.All, Directory.Read.All and the like. Those "
    "stay consents in Entra; `mailbox-guard doctor` shows which of them are needed."
)


@dataclass(frozen=True, slots=True)
class Member:
    """An approved mailbox: its address, and its object id in Entra."""

    address: str
    object_id: str


@dataclass(frozen=True, slots=True)
class ExchangeScope:
    """What is to be limited, to what, and how it is called.

    Members are in the group `group`, or hold `value` in `attribute` where one is given. `canary` is
    the object id of a mailbox that must stay outside; empty where there is none.
    """

    client_id: str
    service_principal_id: str
    members: Sequence[Member]
    roles: Sequence[str] = (ROLES[0],)
    group: str = "Mailbox Guard approved"
    scope: str = "Mailbox Guard approved"
    display_name: str = "Mailbox Guard"
    attribute: str = ""
    value: str = "mailbox-guard"
    canary: str = ""

    def __post_init__(self) -> None:
        """Raise InputRefused for a name that cannot stand in a script, or an unknown role."""
        for text in (
            self.client_id, self.service_principal_id, self.group, self.scope, self.display_name,
            self.value, self.canary,
        ):  # fmt: skip
            if not is_plain(text):
                raise InputRefused(
                    "A name for Exchange holds a line break or a sign that cannot be seen.",
                    hint="Give a name of one line.",
                )
        if unknown := [role for role in self.roles if role not in ROLES]:
            raise InputRefused(
                f"{unknown[0]} is no role of Exchange for applications.",
                hint=f"One of: {', '.join(ROLES)}.",
            )
        if self.attribute and self.attribute not in ATTRIBUTES:
            raise InputRefused(
                f"{self.attribute} is no attribute to go by.",
                hint=f"One of: {ATTRIBUTES[0]} … {ATTRIBUTES[-1]}.",
            )

    @property
    def listed(self) -> list[Member]:
        """Return the members that can stand in a script, by address."""
        plain = [one for one in self.members if is_plain(one.address + one.object_id)]
        return sorted(plain, key=lambda one: (one.address.lower(), one.object_id))

    @property
    def left_out(self) -> int:
        """Return how many members cannot stand in a script."""
        return len(self.members) - len(self.listed)


def scope_script(scope: ExchangeScope) -> str:
    """Return the script that grants the roles for the members alone."""
    return _joined(
        _head(scope, "Grants the application its access for the approved mailboxes alone."),
        _members(scope),
        _principal(scope),
        _management_scope(scope),
        _assignments(scope),
        _proof(scope),
    )


def legacy_script(scope: ExchangeScope) -> str:
    """Return the script that limits consents of Entra to the members by an access policy.

    Raises InputRefused for members by attribute: a policy goes by a group alone.
    """
    if scope.attribute:
        raise InputRefused(
            "An application access policy goes by a group, not by an attribute.",
            hint="Leave --attribute away, or --legacy.",
        )
    return _joined(
        _head(scope, "Limits what is consented in Entra to the approved mailboxes."),
        _members(scope),
        _policy(scope),
    )


def _joined(*parts: Iterator[str]) -> str:
    return "\n".join(line for part in parts for line in (*part, "")).rstrip("\n")


def _head(scope: ExchangeScope, what: str) -> Iterator[str]:
    yield from comment(what)
    yield from comment(
        "Read it, then run it as an Exchange administrator; running it again is harmless."
    )
    yield from comment(f"Application {scope.client_id}, {len(scope.listed)} approved mailboxes.")
    if scope.left_out:
        yield from comment(
            f"Left out: {scope.left_out}, whose address holds a line break or an invisible sign."
        )
    yield ""
    yield from comment(_UNCOVERED)
    yield ""
    yield "#Requires -Modules ExchangeOnlineManagement"
    yield "$ErrorActionPreference = 'Stop'"
    yield "Connect-ExchangeOnline"


def _members(scope: ExchangeScope) -> Iterator[str]:
    if scope.attribute:
        yield from comment("Marks each approved mailbox. A mark holds within minutes.")
        for one in scope.listed:
            mark = f"-{scope.attribute} {quoted(scope.value)}"
            yield f"Set-Mailbox -Identity {quoted(one.address)} {mark}"
        return
    name = quoted(scope.group)
    yield from comment(
        "The group of the approved mailboxes. Only direct members count, groups in it do not."
    )
    yield f"if (-not (Get-DistributionGroup -Identity {name} -ErrorAction SilentlyContinue)) {{"
    yield f"    New-DistributionGroup -Name {name} -Type Security"
    yield "}"
    yield from comment("Who is a member already is told, and stays one.")
    for one in scope.listed:
        yield (
            f"Add-DistributionGroupMember -Identity {name} -Member {quoted(one.address)} "
            "-BypassSecurityGroupManagerCheck -ErrorAction Continue"
        )
    yield from comment("Who is in the group and not approved is asked about, one by one.")
    yield "$approved = @("
    yield ",\n".join(f"    {quoted(one.object_id)}" for one in scope.listed) or "    # nobody"
    yield ")"
    yield f"Get-DistributionGroupMember -Identity {name} -ResultSize Unlimited |"
    yield "    Where-Object { $approved -notcontains $_.ExternalDirectoryObjectId } |"
    yield f"    ForEach-Object {{ Remove-DistributionGroupMember -Identity {name} `"
    yield "        -Member $_.ExternalDirectoryObjectId -BypassSecurityGroupManagerCheck -Confirm }"


def _principal(scope: ExchangeScope) -> Iterator[str]:
    principal = quoted(scope.service_principal_id)
    yield from comment(
        "Tells Exchange of the application: the object id is the enterprise application's."
    )
    yield f"if (-not (Get-ServicePrincipal -Identity {principal} -ErrorAction SilentlyContinue)) {{"
    yield (
        f"    New-ServicePrincipal -AppId {quoted(scope.client_id)} -ObjectId {principal} "
        f"-DisplayName {quoted(scope.display_name)}"
    )
    yield "}"


def _management_scope(scope: ExchangeScope) -> Iterator[str]:
    name = quoted(scope.scope)
    yield from comment("The scope: the recipients that the roles below hold for.")
    if scope.attribute:
        # The filter is a language of its own, in which a quote is doubled once more.
        value = scope.value.replace("'", "''")
        wanted = f"{scope.attribute} -eq '{value}'"
        yield f"$filter = {quoted(wanted)}"
    else:
        yield f"$group = Get-DistributionGroup -Identity {quoted(scope.group)}"
        yield "$name = $group.DistinguishedName.Replace('''', '''''')"
        yield "$filter = 'MemberOfGroup -eq ''' + $name + ''''"
    yield f"if (Get-ManagementScope -Identity {name} -ErrorAction SilentlyContinue) {{"
    yield f"    Set-ManagementScope -Identity {name} -RecipientRestrictionFilter $filter"
    yield "} else {"
    yield f"    New-ManagementScope -Name {name} -RecipientRestrictionFilter $filter"
    yield "}"


def _assignments(scope: ExchangeScope) -> Iterator[str]:
    yield from comment(
        "One assignment for each role. It holds within 30 minutes to 2 hours, and as long "
        "again after it is taken away: Exchange remembers what an application may."
    )
    for role in scope.roles:
        name = quoted(f"{scope.display_name}: {role}")
        yield f"if (-not (Get-ManagementRoleAssignment -Identity {name} `"
        yield "        -ErrorAction SilentlyContinue)) {"
        yield (
            f"    New-ManagementRoleAssignment -Name {name} "
            f"-App {quoted(scope.service_principal_id)} "
            f"-Role {quoted(role)} -CustomResourceScope {quoted(scope.scope)}"
        )
        yield "}"
    yield from comment(
        "A consent in Entra to the same permission adds to this and defeats it: remove it "
        "there, under the permissions of the app registration, once the test below says "
        "InScope True."
    )


def _proof(scope: ExchangeScope) -> Iterator[str]:
    test = f"Test-ServicePrincipalAuthorization -Identity {quoted(scope.service_principal_id)}"
    yield from comment(
        "The proof, past what Exchange remembers: InScope must be True for an approved "
        "mailbox and False for any other. `mailbox-guard doctor` asks the canary from "
        "outside."
    )
    for one in scope.listed[:1]:
        yield f"{test} -Resource {quoted(one.address)}"
    if scope.canary:
        yield f"{test} -Resource {quoted(scope.canary)}"


def _policy(scope: ExchangeScope) -> Iterator[str]:
    yield from comment(
        "The older way: permissions stay consented in Entra, and this policy limits them to "
        "the group. It holds after 30 minutes or more, for all of Mail, Calendars, Contacts "
        "and MailboxSettings at once."
    )
    app = quoted(scope.client_id)
    yield "if (-not (Get-ApplicationAccessPolicy -ErrorAction SilentlyContinue |"
    yield f"        Where-Object {{ $_.AppId -eq {app} }})) {{"
    yield f"    $group = Get-DistributionGroup -Identity {quoted(scope.group)}"
    yield (
        f"    New-ApplicationAccessPolicy -AccessRight RestrictAccess -AppId {app} "
        f"-PolicyScopeGroupId $group.PrimarySmtpAddress -Description {quoted(scope.display_name)}"
    )
    yield "}"
    yield from comment("The proof: Granted for an approved mailbox, Denied for any other.")
    for one in scope.listed[:1]:
        yield f"Test-ApplicationAccessPolicy -AppId {app} -Identity {quoted(one.address)}"
    if scope.canary:
        yield f"Test-ApplicationAccessPolicy -AppId {app} -Identity {quoted(scope.canary)}"
