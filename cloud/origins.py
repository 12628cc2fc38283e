"""Where the services are: settings become base URLs, origins and token scopes."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from kernel.errors import SettingInvalid

GRAPH_PATH = "/v1.0"
DATAVERSE_PATH = "/api/data/v9.2"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class CloudDefaults:
    """The login host and the Graph host of one of Microsoft's clouds."""

    login: str
    graph: str


# Source: learn.microsoft.com/graph/deployments. GCC uses the global cloud.
CLOUDS = {
    "global": CloudDefaults("https://login.microsoftonline.com", "https://graph.microsoft.com"),
    "gcc-high": CloudDefaults("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    "dod": CloudDefaults("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    "china": CloudDefaults(
        "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"
    ),
}

MICROSOFT_LOGIN_HOSTS = frozenset(
    {
        "login.microsoftonline.com",
        "login.windows.net",
        "login.microsoft.com",
        "sts.windows.net",
        "login.microsoftonline.us",
        "login.usgovcloudapi.net",
        "login.partner.microsoftonline.cn",
        "login.chinacloudapi.cn",
    }
)


@dataclass(frozen=True, slots=True)
class Service:
    """One configured service: `name` is graph or dataverse, `base_url` has no slash at its end."""

    name: str
    base_url: str
    scope: str

    @property
    def origin(self) -> str:
        """Scheme, host and port of the base URL."""
        return origin_of(self.base_url)


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL in lower case, without a default port.

    Empty for what is not an absolute http(s) URL, or one that carries a user name.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.password:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname.lower()
    suffix = "" if port in (None, _PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{suffix}"


def graph_service(url: str | None, *, cloud: str = "global", scope: str | None = None) -> Service:
    """Return Graph as configured; without a URL, the Graph of the cloud."""
    return _service("graph", url or defaults_of(cloud).graph, GRAPH_PATH, scope, "_GRAPH_URL")


def dataverse_service(url: str, *, scope: str | None = None) -> Service:
    """Return the Dataverse organisation as configured; it has no default."""
    return _service("dataverse", url, DATAVERSE_PATH, scope, "_DATAVERSE_URL")


def authority_url(url: str | None, *, tenant_id: str | None, cloud: str = "global") -> str:
    """Return the authority with its tenant, as msal wants it.

    Raises SettingInvalid for one that is not https: msal refuses it.
    """
    authority = (url or f"{defaults_of(cloud).login}/{tenant_id or ''}").rstrip("/")
    parts = urlsplit(authority)
    if parts.scheme != "https" or not origin_of(authority):
        raise SettingInvalid(
            f"MAILBOX_GUARD_AUTHORITY_URL is not an https URL: {authority}",
            hint="Give https://login.microsoftonline.com/<tenant>; msal accepts https only.",
        )
    if not parts.path.strip("/"):
        if not tenant_id:
            raise SettingInvalid(
                f"MAILBOX_GUARD_AUTHORITY_URL names no tenant: {authority}",
                hint="End it with the tenant id, or set MAILBOX_GUARD_TENANT_ID.",
            )
        authority = f"{authority}/{tenant_id}"
    return authority


def defaults_of(cloud: str) -> CloudDefaults:
    """Return the hosts of a cloud; raises SettingInvalid for an unknown one."""
    try:
        return CLOUDS[cloud]
    except KeyError:
        raise SettingInvalid(
            f"MAILBOX_GUARD_CLOUD is unknown: {cloud}", hint=f"One of: {', '.join(CLOUDS)}."
        ) from None


def _service(name: str, url: str, path: str, scope: str | None, setting: str) -> Service:
    origin = origin_of(url.strip())
    if not origin:
        raise SettingInvalid(
            f"MAILBOX_GUARD{setting} is not an http(s) URL: {url}",
            hint="Give the origin alone, such as https://contoso.crm.dynamics.com.",
        )
    given = urlsplit(url.strip()).path.rstrip("/")
    base = origin + (given if given.lower().endswith(path) else given + path)
    return Service(name=name, base_url=base, scope=scope or f"{origin}/.default")
