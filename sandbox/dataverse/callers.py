"""Who a Web API request comes from, and for whom it acts."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.dataverse.faults import NOT_A_MEMBER, Fault, lacks_privilege
from sandbox.dataverse.operation import Bypass, Caller
from sandbox.dataverse.privileges import ACT_ON_BEHALF, BYPASS, BYPASS_PLUGINS, holds
from sandbox.dataverse.rows import Row, View
from sandbox.tokens import Bearer

_MOST_STEPS = 3


def _user(view: View, column: str, value: str) -> Row | None:
    wanted = value.casefold()
    return next(
        (row for row in view.all("systemuser") if (row[column] or "").casefold() == wanted), None
    )


def caller_of(view: View, bearer: Bearer, headers: Mapping[str, str]) -> Caller:
    """Return the user that the token stands for, or the one it impersonates. Raises Fault."""
    column, value = (
        ("applicationid", bearer.app_id)
        if bearer.is_app
        else ("azureactivedirectoryobjectid", bearer.object_id)
    )
    user = _user(view, column, value)
    if user is None:
        raise Fault(403, NOT_A_MEMBER, "The user is not a member of the organization.")
    if user["isdisabled"]:
        text = f"The user with SystemUserId={user['systemuserid']} is disabled."
        raise Fault(403, "0x80040225", text)
    acting, agent = user["systemuserid"], headers.get("user-agent", "")
    impersonated = _impersonated(view, headers)
    if impersonated is not None and impersonated["systemuserid"] != acting:
        if not holds(view, acting, ACT_ON_BEHALF):
            raise lacks_privilege(acting, ACT_ON_BEHALF, "systemuser")
        user = impersonated
    object_id = user["azureactivedirectoryobjectid"] or bearer.object_id
    return Caller(user["systemuserid"], object_id, acting, agent)


def _impersonated(view: View, headers: Mapping[str, str]) -> Row | None:
    if object_id := headers.get("callerobjectid"):
        user = _user(view, "azureactivedirectoryobjectid", object_id)
    elif user_id := headers.get("mscrmcallerid"):
        user = view.get("systemuser", user_id)
    else:
        return None
    if user is None:
        raise Fault(403, NOT_A_MEMBER, "The user to impersonate is not in the organization.")
    return user


def bypass_of(view: View, caller: Caller, headers: Mapping[str, str]) -> Bypass:
    """Return which custom logic the headers skip. Raises Fault without the privilege."""
    kinds = {
        part.strip().casefold()
        for part in headers.get("mscrm.bypassbusinesslogicexecution", "").split(",")
        if part.strip()
    }
    plugins = headers.get("mscrm.bypasscustompluginexecution", "").casefold() == "true"
    steps = [
        part.strip().casefold()
        for part in headers.get("mscrm.bypassbusinesslogicexecutionstepids", "").split(",")
        if part.strip()
    ]
    if kinds and not holds(view, caller.user_id, BYPASS):
        raise lacks_privilege(caller.user_id, BYPASS, "sdkmessageprocessingstep")
    if plugins and not holds(view, caller.user_id, BYPASS_PLUGINS):
        raise lacks_privilege(caller.user_id, BYPASS_PLUGINS, "sdkmessageprocessingstep")
    if len(steps) > _MOST_STEPS:
        raise Fault(
            400,
            "0x80040203",
            f"At most {_MOST_STEPS} steps can be bypassed in one request.",
        )
    return Bypass("customsync" in kinds or plugins, "customasync" in kinds, frozenset(steps))
