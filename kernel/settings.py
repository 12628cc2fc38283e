"""Settings: each declared once with type, default, unit and doc; read from environment and file.

`MAILBOX_GUARD_<NAME>` in the environment wins over `<name>` in `mailbox-guard.toml`. An unknown
name is refused like an invalid value: a typo must not weaken the guard.
"""

from __future__ import annotations

import hmac
import re
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kernel.errors import SettingInvalid
from kernel.reading import why_unreadable

PREFIX = "MAILBOX_GUARD_"
FILE_NAME = "mailbox-guard.toml"
CLOUDS = ("global", "gcc-high", "dod", "china")
ENFORCEMENTS = ("enforce", "observe")
TEAM_FORMATS = ("teams", "slack")
GUID = "GUID"
HOURS = "hours"
MOST_HOURS = 720
_GUID = re.compile(r"\{?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
URL = "URL"
DATE = "date"


class Secret:
    """A text that shows itself only when asked by name."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(
            self._text.encode(), other._text.encode()
        )

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret([redacted])" if self._text else "Secret()"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is said of a setting: its doc, its unit, the values it may take."""

    doc: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    shown_default: str | None = None


def _setting(
    default: Any,
    doc: str,
    *,
    unit: str = "",
    choices: tuple[str, ...] = (),
    shown_default: str | None = None,
    shows_itself: bool = True,
) -> Any:
    declaration = Declaration(doc, unit=unit, choices=choices, shown_default=shown_default)
    return field(default=default, repr=shows_itself, metadata={"declaration": declaration})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set, read once at the start."""

    database_url: str = _setting(
        "",
        "Where decisions, approvals and the sync's state are kept.",
        shown_default="a SQLite file in the data directory",
        shows_itself=False,  # It may hold a password.
    )
    data_dir: Path = _setting(
        Path(),
        "Directory of the SQLite file and its lock.",
        shown_default="`mailbox-guard` in the user's data directory",
    )
    policies_dir: Path | None = _setting(
        None, "Root of the policy folder.", shown_default="the shipped policies"
    )
    policies_digest: str = _setting(
        "", "The only accepted digest of the policy set; empty accepts what loads.", unit="sha256"
    )
    environment: str = _setting("", "Which `params/<environment>.yaml` applies.")
    webhook_keys: tuple[Secret, ...] = _setting(
        (), "Keys that a delivery may carry, comma-separated; several allow rotation."
    )
    enforcement: str = _setting(
        "enforce",
        "`observe` answers 200 to all, reverts and grants nothing, and records what it would do.",
        choices=ENFORCEMENTS,
    )
    tenant_id: str = _setting("", "Id or domain of the Entra tenant.")
    client_id: str = _setting("", "Id of the guard's application.")
    client_secret: Secret = _setting(Secret(""), "The guard's client secret.")
    client_certificate_file: Path | None = _setting(
        None, "PEM file with the guard's private key and certificate, instead of a secret."
    )
    managed_identity: str = _setting(
        "", "`system` or the client id of a user-assigned managed identity, instead of a secret."
    )
    sync_client_id: str = _setting(
        "", "Id of a second application, for mailbox access.", shown_default="the guard's"
    )
    sync_client_secret: Secret = _setting(Secret(""), "The second application's client secret.")
    sync_client_certificate_file: Path | None = _setting(
        None, "PEM file with the second application's private key and certificate."
    )
    client_secret_ends: str = _setting(
        "",
        "When the guard's client secret ends, such as 2027-01-31; `doctor` and `serve` warn.",
        unit=DATE,
    )
    sync_client_secret_ends: str = _setting(
        "", "When the second application's client secret ends.", unit=DATE
    )
    cloud: str = _setting("global", "Which Microsoft cloud.", choices=CLOUDS)
    authority_url: str = _setting(
        "",
        "Where tokens come from, tenant included.",
        unit=URL,
        shown_default="the cloud's login address and the tenant",
    )
    graph_url: str = _setting(
        "", "Origin of Microsoft Graph.", unit=URL, shown_default="the cloud's"
    )
    dataverse_url: str = _setting("", "Origin of the Dataverse organisation.", unit=URL)
    ca_bundle_file: Path | None = _setting(
        None,
        "PEM file of the certificate authorities to trust.",
        shown_default="the system's",
    )
    graph_scope: str = _setting(
        "", "Scope of Graph tokens.", shown_default="the origin of `GRAPH_URL` + `/.default`"
    )
    dataverse_scope: str = _setting(
        "",
        "Scope of Dataverse tokens.",
        shown_default="the origin of `DATAVERSE_URL` + `/.default`",
    )
    organization_id: str = _setting(
        "", "The Dataverse organisation.", shown_default="learnt by WhoAmI", unit=GUID
    )
    delegated_approver_role_id: str = _setting(
        "",
        "Id of the role Delegated Mailbox Approver; a role is never known by its name.",
        shown_default="known by the role's template where Dataverse tells it",
        unit=GUID,
    )
    notifications: bool = _setting(
        True,
        "Tell whoever made a change that was rejected or held why, by a notification in Dataverse.",
    )
    team_webhook_url: Secret = _setting(
        Secret(""),
        "Address of a team's channel, made by a workflow of Teams or an app of Slack: a card is "
        "posted there for each change that was rejected or held.",
    )
    team_webhook_format: str = _setting(
        "teams", "For whom cards are written.", choices=TEAM_FORMATS
    )
    mail_sender: str = _setting(
        "", "Object id of the one mailbox from which people are told by mail as well.", unit=GUID
    )
    help_contact: str = _setting(
        "", "Who helps a person whose change was refused, where the policy names no contact."
    )
    console_url: str = _setting(
        "",
        "Address under which people open the console, such as https://guard.contoso.com: with it "
        "they sign in with Entra, which returns to `/sign-in/entra/return` there.",
        unit=URL,
        shown_default="none: a link that `serve` prints once lets in who is on its machine",
    )
    console_client_id: str = _setting(
        "", "Id of the application as which people sign in.", shown_default="the guard's"
    )
    console_client_secret: Secret = _setting(
        Secret(""), "That application's client secret.", shown_default="the guard's"
    )
    canary_object_id: str = _setting(
        "", "Entra object id of a mailbox that must be refused; `doctor` asks for it.", unit=GUID
    )
    decision_deadline_seconds: float = _setting(
        5.0, "How long facts may take before they count as missing.", unit="seconds"
    )
    approval_max_age_seconds: float = _setting(
        900.0, "How old Dataverse's word on an approval may be before a pass.", unit="seconds"
    )
    evidence_max_age_seconds: float = _setting(
        3600.0,
        "How old the look-up of what an approval rests on may be; older, the mailbox rests until "
        "it was looked up again.",
        unit="seconds",
    )
    reconcile_seconds: float = _setting(
        60.0, "How often guarded columns are compared with the last known good.", unit="seconds"
    )
    hold_hours: float = _setting(
        72.0,
        "How long what a rule holds waits for an approver, unless the rule says otherwise; at most "
        "720.",
        unit=HOURS,
    )
    anchor_file: Path = _setting(
        Path(),
        "File to which the heads of the ledger are appended each minute, best on another machine's "
        "disk; against it a restored or rewritten database is noticed.",
        shown_default="`anchors.jsonl` in the data directory",
    )
    anchor_key_file: Path | None = _setting(
        None,
        "PEM file with the Ed25519 private key that signs anchors.",
        shown_default="none: they are unsigned",
    )
    anchor_database_url: Secret = _setting(
        Secret(""),
        "Second database into which each anchor is inserted as well; its owner makes the table.",
        shown_default="none",
    )
    anchor_dataverse_seconds: float | None = _setting(
        None,
        "How often an anchor is kept as a note in Dataverse as well, such as 3600.",
        unit="seconds",
        shown_default="never",
    )
    pseudonym_key_file: Path | None = _setting(
        None,
        "File with the keys by which `decisions export --masked` replaces persons, one a line in "
        "hex, the newest first.",
        shown_default="none: nothing is exported masked",
    )
    private_retention_days: float | None = _setting(
        None,
        "How long the private parts of decisions are kept; older ones are masked by `serve`, never "
        "before 366 days.",
        unit="days",
        shown_default="for good",
    )
    record_retention_days: float | None = _setting(
        None,
        "How long decisions are kept at all; older ones are pruned by `serve`, never before 366 "
        "days.",
        unit="days",
        shown_default="for good",
    )
    tracing_endpoint: str = _setting(
        "",
        "Collector of traces (OTLP over HTTP); the extra `tracing` sends them.",
        unit=URL,
        shown_default="none: nothing is traced",
    )
    log_level: str = _setting(
        "info", "The least important events that are logged.", choices=("debug", "info", "warning")
    )
    unsafe_without_store: bool = _setting(
        False, "Decide without recording anything: for measuring only, never in production."
    )
    failpoint: str = _setting(
        "", "Test setting: the failpoint at which the process ends, see docs/failpoints.md."
    )


def declarations() -> dict[str, tuple[Field[Any], Declaration]]:
    """Return every setting by its environment name, in the order of declaration."""
    return {
        PREFIX + item.name.upper(): (item, item.metadata["declaration"])
        for item in fields(Settings)
    }


def load(environ: Mapping[str, str], file: Path | None = None) -> Settings:
    """Return the settings of an environment and a file.

    `file` defaults to `mailbox-guard.toml` in the current directory, if it is there.
    Raises SettingInvalid naming the setting, the reason and the mend.
    """
    known = {item.name: item for item in fields(Settings)}
    raw: dict[str, tuple[str, Any]] = {}
    for name, value in _file_values(file).items():
        _check_known(name, known, where=f"{file or FILE_NAME}: `{name}`", shown=str.lower)
        if not _is_blank(value):
            raw[name] = (f"`{name}` in {file or FILE_NAME}", value)
    for variable, text in environ.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        _check_known(name, known, where=variable, shown=lambda n: PREFIX + n.upper())
        if not _is_blank(text):
            raw[name] = (variable, text)
    values = {name: _parsed(known[name], value, source) for name, (source, value) in raw.items()}
    if "data_dir" not in values:
        values["data_dir"] = _default_data_dir(environ)
    if "database_url" not in values:
        values["database_url"] = f"sqlite:///{values['data_dir'] / 'mailbox-guard.db'}"
    if "anchor_file" not in values:
        values["anchor_file"] = values["data_dir"] / "anchors.jsonl"
    return Settings(**values)


def _is_blank(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()


def _file_values(file: Path | None) -> dict[str, Any]:
    path = file or Path(FILE_NAME)
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        if file is None:
            return {}
        raise SettingInvalid(
            f"The settings file {file} does not exist.", hint="Check the path."
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = why_unreadable(error)
        is_away = isinstance(error, OSError)
        raise SettingInvalid(
            f"The settings file {path} cannot be read: {why}.",
            hint="Let this user read it." if is_away else "It must be valid TOML.",
        ) from error


def _check_known(name: str, known: Mapping[str, Any], *, where: str, shown: Any) -> None:
    if name in known:
        return
    plain = name.lower().removeprefix(PREFIX.lower())
    close = get_close_matches(plain, known, n=1)
    hint = f"Did you mean {shown(close[0])}?" if close else "See docs/settings.md for every name."
    raise SettingInvalid(f"{where} is not a setting.", hint=hint)


def _parsed(item: Field[Any], value: Any, source: str) -> Any:
    declaration: Declaration = item.metadata["declaration"]
    try:
        parsed = _PARSERS[str(item.type)](value)
        if declaration.unit == URL:
            _check_url(parsed)
        elif declaration.unit == HOURS and parsed > MOST_HOURS:
            raise ValueError(f"it must be at most {MOST_HOURS}")
        elif declaration.unit == GUID and parsed and not _GUID.fullmatch(parsed):
            raise ValueError("it must be a GUID such as 00000000-0000-0000-0000-000000000000")
        elif declaration.unit == DATE and parsed:
            _check_date(parsed)
    except (ValueError, TypeError, RuntimeError) as error:
        # No chain: what the parser complains about may hold the value.
        raise SettingInvalid(f"{source} is not usable: {error}.", hint=declaration.doc) from None
    if declaration.choices and parsed not in declaration.choices:
        raise SettingInvalid(
            f"{source} is `{parsed}`.", hint=f"Use one of: {', '.join(declaration.choices)}."
        )
    return parsed


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("it must be text")
    return value.strip()


def _check_url(text: str) -> None:
    parts = urlsplit(text)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("it must begin with https:// and name a host")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        # A token would travel in the clear; on this machine a proxy may take it.
        raise ValueError("it must begin with https://; http:// is for this machine alone")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("it must hold no user, password, query or fragment")


def _check_date(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("it must be a date such as 2027-01-31") from None


def _seconds(value: Any) -> float:
    try:
        seconds = float(value) if not isinstance(value, bool) else 0.0
    except (TypeError, ValueError):
        raise ValueError("it must be a number") from None
    if not 0 < seconds < 1e9:
        raise ValueError("it must be a number above 0")
    return seconds


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).strip().lower() in ("true", "1", "yes", "on"):
        return True
    if str(value).strip().lower() in ("false", "0", "no", "off"):
        return False
    raise ValueError("it must be true or false")


def _secrets(value: Any) -> tuple[Secret, ...]:
    parts = value if isinstance(value, list) else _text(value).split(",")
    return tuple(Secret(_text(part)) for part in parts if _text(part))


_PARSERS: dict[str, Any] = {
    "str": _text,
    "Path": lambda value: Path(_text(value)).expanduser(),
    "Path | None": lambda value: Path(_text(value)).expanduser(),
    "Secret": lambda value: Secret(_text(value)),
    "tuple[Secret, ...]": _secrets,
    "float": _seconds,
    "float | None": _seconds,
    "bool": _switch,
}


def _default_data_dir(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_DATA_HOME")
    try:
        return Path(base or Path.home() / ".local" / "share") / "mailbox-guard"
    except RuntimeError:
        raise SettingInvalid(
            f"{PREFIX}DATA_DIR is not set, and this user has no home directory.",
            hint=f"Set {PREFIX}DATA_DIR to a directory that outlives the process.",
        ) from None
