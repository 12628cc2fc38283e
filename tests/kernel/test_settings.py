"""Settings come from file and environment, name themselves when wrong, and hide what is secret."""

from __future__ import annotations

import copy
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from kernel.errors import SettingInvalid
from kernel.settings import PREFIX, Secret, Settings, declarations, load


def loaded(**environ: str) -> Settings:
    return load({PREFIX + name: text for name, text in environ.items()}, None)


def from_file(tmp_path: Path, text: str, **environ: str) -> Settings:
    path = tmp_path / "mailbox-guard.toml"
    path.write_text(text, "utf-8")
    return load({PREFIX + name: value for name, value in environ.items()}, path)


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


A_GUID = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
EXAMPLES: dict[str, tuple[str, Any]] = {
    "str": ("  contoso ", "contoso"),
    "Path": ("/srv/guard", Path("/srv/guard")),
    "Path | None": ("~/x.pem", Path.home() / "x.pem"),
    "Secret": ("s3cret", Secret("s3cret")),
    "tuple[Secret, ...]": ("one, two,,", (Secret("one"), Secret("two"))),
    "float": ("2.5", 2.5),
    "float | None": ("2.5", 2.5),
    "bool": ("Yes", True),
}


@pytest.mark.parametrize("item", fields(Settings), ids=lambda item: item.name)
def test_every_setting_is_read_from_the_environment(item: Any) -> None:
    declaration = item.metadata["declaration"]
    text, value = EXAMPLES[item.type]
    if declaration.choices:
        text = value = declaration.choices[-1]
    if declaration.unit == "URL":
        text = value = "https://example.com"
    if declaration.unit == "GUID":
        text = value = A_GUID
    if declaration.unit == "date":
        text = value = "2027-01-31"
    assert getattr(loaded(**{item.name.upper(): text}), item.name) == value


@pytest.mark.parametrize("item", fields(Settings), ids=lambda item: item.name)
@pytest.mark.parametrize("blank", ["", "   "])
def test_an_empty_text_means_the_default(tmp_path: Path, item: Any, blank: str) -> None:
    default = getattr(loaded(), item.name)
    assert getattr(loaded(**{item.name.upper(): blank}), item.name) == default
    assert getattr(from_file(tmp_path, f'{item.name} = "{blank}"'), item.name) == default


@pytest.mark.parametrize("item", fields(Settings), ids=lambda item: item.name)
def test_a_value_of_another_type_names_the_setting_and_the_reason(
    tmp_path: Path, item: Any
) -> None:
    with pytest.raises(SettingInvalid, match=f"`{item.name}` in .*: it must be") as caught:
        from_file(tmp_path, f"{item.name} = 1970-01-01")
    assert caught.value.hint


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf", "1e12"])
def test_seconds_are_a_number_above_zero(text: str) -> None:
    with pytest.raises(SettingInvalid, match=r"MAILBOX_GUARD_RECONCILE_SECONDS .* number"):
        loaded(RECONCILE_SECONDS=text)


def test_true_is_no_number_of_seconds(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="number"):
        from_file(tmp_path, "reconcile_seconds = true")


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("on", True), ("FALSE", False), ("0", False), ("no", False)]
)
def test_a_switch_understands_the_usual_words(text: str, value: bool) -> None:
    assert loaded(UNSAFE_WITHOUT_STORE=text).unsafe_without_store is value


def test_a_switch_refuses_others() -> None:
    with pytest.raises(SettingInvalid, match="true or false"):
        loaded(UNSAFE_WITHOUT_STORE="maybe")


def test_a_choice_names_what_may_be_chosen() -> None:
    with pytest.raises(SettingInvalid, match="`off`") as caught:
        loaded(ENFORCEMENT="off")
    assert caught.value.hint == "Use one of: enforce, observe."


@pytest.mark.parametrize(
    "url", ["graph.microsoft.com", "ftp://example.com", "https://", "https://u:p@example.com",
            "https://example.com?x=1", "https://[::1"],
)  # fmt: skip
def test_an_address_that_is_no_origin_is_refused(url: str) -> None:
    with pytest.raises(SettingInvalid, match="MAILBOX_GUARD_GRAPH_URL") as caught:
        loaded(GRAPH_URL=url)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "https://graph.microsoft.us/v1.0"])
def test_an_address_may_point_anywhere(url: str) -> None:
    assert loaded(GRAPH_URL=url).graph_url == url


class TestUnknownNames:
    def test_the_environment_names_the_closest(self) -> None:
        with pytest.raises(SettingInvalid, match="MAILBOX_GUARD_ENFORCEMNT") as caught:
            loaded(ENFORCEMNT="observe")
        assert caught.value.hint == "Did you mean MAILBOX_GUARD_ENFORCEMENT?"

    @pytest.mark.parametrize("name", ["webhook_key", "MAILBOX_GUARD_WEBHOOK_KEYS"])
    def test_the_file_names_the_closest(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(SettingInvalid, match=f"`{name}`") as caught:
            from_file(tmp_path, f'{name} = "x"')
        assert caught.value.hint == "Did you mean webhook_keys?"

    def test_without_a_close_one_the_page_is_named(self) -> None:
        with pytest.raises(SettingInvalid) as caught:
            loaded(QQQQ="1")
        assert "docs/settings.md" in str(caught.value.hint)

    def test_variables_of_others_are_not_ours(self) -> None:
        load({"PATH": "/bin", "GUARD_X": "1"})


class TestTheFile:
    def test_is_read_from_the_current_directory_when_none_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "mailbox-guard.toml").write_text('tenant_id = "contoso.com"')
        assert load({}).tenant_id == "contoso.com"

    def test_gives_way_to_the_environment(self, tmp_path: Path) -> None:
        text = f'tenant_id = "contoso.com"\nclient_id = "{A_GUID}"'
        settings = from_file(tmp_path, text, TENANT_ID="fabrikam.com")
        assert (settings.tenant_id, settings.client_id) == ("fabrikam.com", A_GUID)

    def test_may_list_keys(self, tmp_path: Path) -> None:
        settings = from_file(tmp_path, 'webhook_keys = ["a,b", "c"]')
        assert settings.webhook_keys == (Secret("a,b"), Secret("c"))

    def test_that_is_named_must_be_there(self, tmp_path: Path) -> None:
        with pytest.raises(SettingInvalid, match="does not exist"):
            load({}, tmp_path / "nowhere.toml")

    @pytest.mark.parametrize("content", [b"a = ", b"\xff\xfe", b"[tenant_id]\nx = 1"])
    def test_that_cannot_be_used_is_refused_without_a_traceback(
        self, tmp_path: Path, content: bytes
    ) -> None:
        path = tmp_path / "x.toml"
        path.write_bytes(content)
        with pytest.raises(SettingInvalid, match=r"x\.toml"):
            load({}, path)


class TestTheDataDirectory:
    def test_is_the_users_own_by_default(self) -> None:
        assert load({"XDG_DATA_HOME": "/data"}).data_dir == Path("/data/mailbox-guard")
        assert load({}).data_dir == Path.home() / ".local" / "share" / "mailbox-guard"

    def test_holds_the_database_unless_that_is_elsewhere(self) -> None:
        assert loaded(DATA_DIR="/d").database_url == "sqlite:////d/mailbox-guard.db"
        url = "postgresql://guard@db.example.com/guard"
        assert loaded(DATA_DIR="/d", DATABASE_URL=url).database_url == url


class TestSecrets:
    SETTINGS: ClassVar = {
        "CLIENT_SECRET": "hidden-1",
        "SYNC_CLIENT_SECRET": "hidden-2",
        "WEBHOOK_KEYS": "hidden-3,hidden-4",
        "DATABASE_URL": "postgresql://guard:hidden-5@db.example.com/guard",
    }

    def test_are_never_shown(self) -> None:
        settings = loaded(**self.SETTINGS)
        shown = f"{settings} {settings!r} {asdict(settings)['client_secret']} " + str(
            settings.webhook_keys
        )
        assert "hidden" not in shown
        assert settings.client_secret.reveal() == "hidden-1"

    def test_are_never_shown_by_a_refusal(self, tmp_path: Path) -> None:
        with pytest.raises(SettingInvalid) as caught:
            from_file(tmp_path, 'webhook_keys = ["hidden-6", 7]')
        assert "hidden" not in f"{caught.value} {caught.value.hint} {caught.value.context}"
        assert caught.value.__cause__ is None

    def test_say_whether_they_are_set_and_are_equal_by_value(self) -> None:
        assert Secret("a") == Secret("a") != Secret("ä")
        assert hash(Secret("a")) == hash(Secret("a"))
        assert Secret("a")
        assert not Secret("")
        assert (str(Secret("")), f"{Secret('abc')}") == ("Secret()", "Secret([redacted])")
        assert Secret("a") != "a"
        assert copy.deepcopy(Secret("a")) == Secret("a")


def test_settings_are_frozen_and_can_be_replaced() -> None:
    settings = loaded()
    with pytest.raises(AttributeError):
        settings.tenant_id = "x"  # type: ignore[misc]
    assert replace(settings, tenant_id="x").tenant_id == "x"


def test_every_setting_is_declared_with_a_sentence() -> None:
    for name, (item, declaration) in declarations().items():
        assert name == PREFIX + item.name.upper()
        assert declaration.doc.endswith(".")
        # An address that is itself a secret is shown nowhere, nor is the form in which it is given.
        is_secret = item.type == "Secret" or item.name == "database_url"
        assert declaration.unit or is_secret or not item.name.endswith(("_seconds", "_url"))


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("organization_id", "1", "it must be a GUID"),
        ("delegated_approver_role_id", "zz", "it must be a GUID"),
        ("graph_url", "http://graph.example.com", "it must begin with https://"),
        ("dataverse_url", "http://contoso.example.com", "it must begin with https://"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(name: str, text: str, reason: str) -> None:
    with pytest.raises(SettingInvalid, match=f"MAILBOX_GUARD_{name.upper()}") as refused:
        loaded(**{name.upper(): text})
    assert reason in refused.value.message


def test_a_proxy_on_this_machine_may_speak_plain_http() -> None:
    assert loaded(GRAPH_URL="http://127.0.0.1:9000").graph_url == "http://127.0.0.1:9000"
