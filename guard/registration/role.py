"""The least role of the guard's application user in Dataverse, privilege by privilege with why.

Names of privileges are those of Dataverse: verb and table. All are needed at the depth of the
organisation, since the rows that are guarded belong to everybody.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernel.words import DocumentedWord


class Occasion(DocumentedWord):
    """When a privilege is needed."""

    SERVE = "serve", "While `serve` runs, always."
    NOTIFY = "notify", "While people are told in Dataverse why a change was refused."
    BREAK_GLASS = "break-glass", "For `pause` and `resume`, and for a pause to end by itself."
    REGISTER = "register", "For `register` and `unregister` alone; it can be taken away afterwards."


@dataclass(frozen=True, slots=True)
class RolePrivilege:
    """One privilege, when it is needed and what for."""

    name: str
    occasion: Occasion
    why: str


_SHOWS = "what stands there can be compared with what was registered"
PRIVILEGES: tuple[RolePrivilege, ...] = (
    RolePrivilege(
        "prvReadMailbox", Occasion.SERVE, "rows are read back before anything is granted"
    ),
    RolePrivilege(
        "prvReadUser", Occasion.SERVE, "actors and owners are looked up, and user rows guarded"
    ),
    RolePrivilege("prvReadQueue", Occasion.SERVE, "queue rows are guarded"),
    RolePrivilege("prvReadTeam", Occasion.SERVE, "roles are held through teams"),
    RolePrivilege("prvReadBusinessUnit", Occasion.SERVE, "rules ask for the business unit"),
    RolePrivilege("prvReadRole", Occasion.SERVE, "rules ask which roles an actor has"),
    RolePrivilege("prvReadOrganization", Occasion.SERVE, "switches of approval are watched"),
    RolePrivilege("prvReadEmailServerProfile", Occasion.SERVE, "server profiles are watched"),
    RolePrivilege("prvWriteMailbox", Occasion.SERVE, "a rejected change of a mailbox is restored"),
    RolePrivilege("prvWriteUser", Occasion.SERVE, "a rejected change of a user is restored"),
    RolePrivilege("prvWriteQueue", Occasion.SERVE, "a rejected change of a queue is restored"),
    RolePrivilege(
        "prvApproveRejectEmailAddress", Occasion.SERVE, "a rejected approval is set to Rejected"
    ),
    RolePrivilege("prvReadServiceEndpoint", Occasion.SERVE, _SHOWS),
    RolePrivilege("prvReadSdkMessageProcessingStep", Occasion.SERVE, _SHOWS),
    RolePrivilege("prvReadSdkMessageProcessingStepImage", Occasion.SERVE, _SHOWS),
    RolePrivilege("prvReadSdkMessage", Occasion.SERVE, "messages are looked up, never assumed"),
    RolePrivilege(
        "prvReadSdkMessageFilter", Occasion.SERVE, "messages are looked up, never assumed"
    ),
    RolePrivilege("prvSendAppNotification", Occasion.NOTIFY, "people are told why"),
    RolePrivilege("prvCreateAppNotification", Occasion.NOTIFY, "people are told why"),
    RolePrivilege("prvReadAppNotification", Occasion.NOTIFY, "nobody is told the same twice"),
    RolePrivilege("prvReadUserSettings", Occasion.NOTIFY, "it is told in their language"),
    RolePrivilege(
        "prvWriteSdkMessageProcessingStep", Occasion.BREAK_GLASS, "steps are switched off and on"
    ),
    *(
        RolePrivilege(f"prv{verb}{table}", Occasion.REGISTER, why)
        for table in (
            "ServiceEndpoint",
            "SdkMessageProcessingStep",
            "SdkMessageProcessingStepImage",
        )
        for verb, why in (
            ("Create", "what is missing is made"),
            ("Write", "what differs is mended"),
            ("Delete", "what is too much is removed"),
        )
        if f"{verb}{table}" != "WriteSdkMessageProcessingStep"
    ),
)
"""Each privilege once, in the order in which people read it."""
