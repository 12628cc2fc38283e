"""Signing in against the sandbox's Entra: browser, command, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from console.sign_in.authentication import Authentication
from console.sign_in.refusals import SignInRefused
from console.wiring.sign_in import open_authentication, sign_in_for_command
from kernel import settings
from kernel.clock import SystemClock
from kernel.database import Database
from kernel.errors import SettingInvalid, Unavailable
from kernel.principal import AppRole
from kernel.settings import Settings
from sandbox import people
from sandbox.server import Sandbox

URL = "http://localhost:8080"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
def configured(sandbox: Sandbox) -> Settings:
    return settings.load(sandbox.settings() | {"MAILBOX_GUARD_CONSOLE_URL": URL})


@pytest.fixture
def authentication(configured: Settings, guard_database: Database) -> Iterator[Authentication]:
    found = open_authentication(configured, guard_database, SystemClock())
    yield found
    found.close()


@pytest.fixture
async def browser(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=sandbox.certificates.client_context()) as plain:
        yield plain


async def answer_at_entra(browser: httpx.AsyncClient, url: str, alias: str) -> dict[str, str]:
    answer = await browser.post(url, data={"upn": people.BY_ALIAS[alias].address})
    location = urlsplit(answer.headers["location"])
    assert f"{location.scheme}://{location.netloc}" == URL
    return dict(parse_qsl(location.query))


async def test_a_person_comes_back_as_themselves(
    authentication: Authentication, browser: httpx.AsyncClient
) -> None:
    where, ticket = await authentication.go("/holds")
    answer = await answer_at_entra(browser, where, "approver")
    principal, next_path = await authentication.come_back(ticket, answer)
    assert next_path == "/holds"
    assert principal.name == people.APPROVER.address
    assert principal.object_id == people.APPROVER.object_id
    assert principal.may_approve
    session_id = await authentication.begin(principal)
    found = await authentication.signed_in(f"mailbox-guard={session_id}")
    assert found is not None
    assert found.principal == principal
    await authentication.end(found)
    assert await authentication.signed_in(f"mailbox-guard={session_id}") is None


async def test_whoever_has_no_role_is_not_let_in(
    authentication: Authentication, browser: httpx.AsyncClient
) -> None:
    where, ticket = await authentication.go("/")
    answer = await answer_at_entra(browser, where, "anna")
    with pytest.raises(SignInRefused, match="none of the app roles"):
        await authentication.come_back(ticket, answer)


async def test_an_answer_in_another_browser_or_a_second_time_is_refused(
    authentication: Authentication, browser: httpx.AsyncClient
) -> None:
    where, ticket = await authentication.go("/")
    answer = await answer_at_entra(browser, where, "approver")
    for other in (None, "another"):
        with pytest.raises(SignInRefused):
            await authentication.come_back(other, answer)
    await authentication.come_back(ticket, answer)
    with pytest.raises(SignInRefused):
        await authentication.come_back(ticket, answer)


async def test_an_answer_with_another_state_is_refused(
    authentication: Authentication, browser: httpx.AsyncClient
) -> None:
    where, ticket = await authentication.go("/")
    answer = await answer_at_entra(browser, where, "approver")
    with pytest.raises(SignInRefused, match="does not belong"):
        await authentication.come_back(ticket, answer | {"state": "another"})


async def test_somebody_elses_code_is_refused(
    authentication: Authentication, browser: httpx.AsyncClient
) -> None:
    theirs, _ = await authentication.go("/")
    code = (await answer_at_entra(browser, theirs, "approver"))["code"]
    where, ticket = await authentication.go("/")
    answer = await answer_at_entra(browser, where, "admin")
    with pytest.raises(SignInRefused):
        await authentication.come_back(ticket, answer | {"code": code})


async def test_entra_that_is_away_is_said_so(
    authentication: Authentication, sandbox: Sandbox
) -> None:
    await sandbox.stop()
    with pytest.raises(Unavailable, match="Entra does not answer"):
        await authentication.go("/")


async def test_a_token_for_our_own_api_proves_its_person(
    authentication: Authentication, sandbox: Sandbox
) -> None:
    token = sandbox.user_token("approver", resource=people.GUARD_CLIENT_ID)
    assert (await authentication.bearer(f"Bearer {token}")).may_approve
    with pytest.raises(SignInRefused, match="another tenant, or of version 1"):
        await authentication.bearer(f"Bearer {sandbox.user_token('approver')}")


async def test_a_command_signs_in_by_a_code(
    configured: Settings, browser: httpx.AsyncClient
) -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Queue[str]()

    def tell(line: str) -> None:
        loop.call_soon_threadsafe(told.put_nowait, line)

    waiting = asyncio.create_task(
        asyncio.to_thread(sign_in_for_command, configured, SystemClock(), tell=tell)
    )
    said = await told.get()
    page, code = said.split()[1], said.rstrip(".").split()[-1]
    await browser.post(page, data={"user_code": code, "upn": people.GLOBAL_ADMIN.address})
    principal = await waiting
    assert principal.object_id == people.GLOBAL_ADMIN.object_id
    assert principal.roles == {AppRole.APPROVER, AppRole.OPERATOR}


def test_an_address_without_entra_is_refused_at_the_start(guard_database: Database) -> None:
    only_url = settings.load({"MAILBOX_GUARD_CONSOLE_URL": "https://guard.contoso.com"})
    with pytest.raises(SettingInvalid, match="nobody could sign in"):
        open_authentication(only_url, guard_database, SystemClock())


def test_without_an_address_there_is_a_link(guard_database: Database) -> None:
    found = open_authentication(settings.load({}), guard_database, SystemClock())
    assert found.link is not None
    assert found.flow is None
    assert not found.cookies.is_secure


async def test_no_bearer_proves_anybody_where_no_authority_is_configured(
    guard_database: Database,
) -> None:
    found = open_authentication(settings.load({}), guard_database, SystemClock())
    with pytest.raises(SignInRefused):
        await found.bearer("Bearer abc")
