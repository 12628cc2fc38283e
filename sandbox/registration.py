"""The guard's endpoint and steps in the sample organisation, as an administrator makes them."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from xml.sax.saxutils import quoteattr

from sandbox.dataverse.organization import Dataverse
from sandbox.dataverse.rows import Ref
from sandbox.people import stable_id

GUARDED: dict[str, tuple[str, ...]] = {
    "mailbox": (
        "emailaddress",
        "emailrouteraccessapproval",
        "testemailconfigurationscheduled",
        "incomingemaildeliverymethod",
        "outgoingemaildeliverymethod",
        "actdeliverymethod",
        "emailserverprofile",
        "ownerid",
        "regardingobjectid",
        "isforwardmailbox",
        "allowemailconnectortousecredentials",
        "username",
        "statecode",
    ),
    "systemuser": (
        "internalemailaddress",
        "emailrouteraccessapproval",
        "domainname",
        "azureactivedirectoryobjectid",
        "applicationid",
        "isdisabled",
    ),
    "queue": ("emailaddress", "emailrouteraccessapproval", "ownerid", "statecode"),
}
# What the images carry beside them; a change of these alone calls nobody.
CARRIED: dict[str, tuple[str, ...]] = {
    "mailbox": (
        "name",
        "isserviceaccount",
        "isemailaddressapprovedbyo365admin",
        "processanddeleteemails",
    ),
    "systemuser": (
        "fullname",
        "isemailaddressapprovedbyo365admin",
        "incomingemaildeliverymethod",
        "outgoingemaildeliverymethod",
        "islicensed",
        "accessmode",
        "businessunitid",
    ),
    "queue": (
        "name",
        "isemailaddressapprovedbyo365admin",
        "incomingemaildeliverymethod",
        "outgoingemaildeliverymethod",
        "incomingemailfilteringmethod",
        "queueviewtype",
        "owningbusinessunit",
    ),
}
_SYNCHRONOUS, _ASYNCHRONOUS = 0, 1
_HIGHEST_RANK = 2_147_483_647


def split_key(url: str) -> tuple[str, str | None]:
    """Return the URL without its `code`, and that code: a webhook key written into the URL."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    key = next((value for name, value in query if name == "code"), None)
    rest = urlencode([(name, value) for name, value in query if name != "code"])
    return urlunsplit((parts.scheme, parts.netloc, parts.path, rest, "")), key


def register(dataverse: Dataverse, url: str, key: str, *, style: str = "header") -> str:
    """Register endpoint, steps and images for a guard at this URL; return the endpoint's id.

    `style` is how the key travels: "header" (x-guard-key), "code" (?code=) or "query" (guard-key).
    """
    authtype, authvalue = {
        "code": (4, key),
        "header": (5, _settings("x-guard-key", key)),
        "query": (6, _settings("guard-key", key)),
    }[style]
    endpoint_id = stable_id(f"serviceendpoint/{url}")
    dataverse.insert(
        "serviceendpoint",
        {
            "serviceendpointid": endpoint_id,
            "name": "mailbox-guard",
            "url": url,
            "contract": 8,
            "authtype": authtype,
            "authvalue": authvalue,
            "isauthvalueset": True,
            "messageformat": 2,
            "messagecharset": 1,
        },
    )
    for table, columns in GUARDED.items():
        for message in ("Create", "Update"):
            for mode, stage in ((_SYNCHRONOUS, 20), (_ASYNCHRONOUS, 40)):
                _step(dataverse, endpoint_id, message, table, columns, mode=mode, stage=stage)
    return endpoint_id


def _settings(name: str, value: str) -> str:
    return f"<settings><setting name={quoteattr(name)} value={quoteattr(value)}/></settings>"


def _step(
    dataverse: Dataverse,
    endpoint_id: str,
    message: str,
    table: str,
    columns: tuple[str, ...],
    *,
    mode: int,
    stage: int,
) -> None:
    name = f"guard: {message} of {table}, {'asynchronous' if mode else 'synchronous'}"
    step_id = stable_id(f"step/{endpoint_id}/{message}/{table}/{mode}")
    message_row = next(r for r in dataverse.store.all("sdkmessage") if r["name"] == message)
    dataverse.insert(
        "sdkmessageprocessingstep",
        {
            "sdkmessageprocessingstepid": step_id,
            "name": name,
            "stage": stage,
            "mode": mode,
            "rank": _HIGHEST_RANK,
            "asyncautodelete": bool(mode),
            "filteringattributes": ",".join(columns) if message == "Update" else None,
            "eventhandler": Ref("serviceendpoint", endpoint_id),
            "sdkmessageid": Ref("sdkmessage", message_row["sdkmessageid"]),
            "sdkmessagefilterid": Ref(
                "sdkmessagefilter", stable_id(f"sdkmessagefilter/{message}/{table}")
            ),
        },
    )
    if message == "Update":
        dataverse.insert(
            "sdkmessageprocessingstepimage",
            {
                "name": "pre",
                "entityalias": "pre",
                "imagetype": 0,
                "messagepropertyname": "Target",
                "attributes": ",".join((*columns, *CARRIED[table])),
                "sdkmessageprocessingstepid": Ref("sdkmessageprocessingstep", step_id),
            },
        )
