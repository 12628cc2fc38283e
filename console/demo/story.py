"""The story, scene by scene: an action, what each party saw, and whether it ended as promised.

A scene that does not end as promised stops the demo with exit code 1; nothing here is staged.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from console.demo.person import DemoPerson, Seen
from console.demo.stage import DemoFailed, Stage
from sandbox import people
from sandbox.directory import Person as EntraPerson

WEBHOOK_REFUSED = "0x80050201"
NEWCOMER = "newcomer"
APPROVED = 1
RECEIVED = 4


@dataclass(frozen=True, slots=True)
class Scene:
    """One line of the summary."""

    act: str
    outcome: str
    seen: str


class Story:
    """Plays the scenes in order; `tell` gets each line as it happens."""

    def __init__(self, stage: Stage, tell: Callable[[str], None]) -> None:
        self._stage = stage
        self._tell = tell
        self.scenes: list[Scene] = []
        self._anchors = stage.folder / "kept-elsewhere.jsonl"

    async def play(self) -> None:
        """Play everything. Raises DemoFailed at the first scene that breaks a promise."""
        await self._illegitimate_edit()
        await self._told_why()
        await self._legitimate_edit()
        await self._bypass()
        await self._hold()
        await self._anchor()
        await self._unqualified_approval()
        await self._qualified_approval()
        await self._new_employee()
        await self._first_mails()
        await self._another_mail()
        await self._withdrawal()
        await self._proof()

    async def _illegitimate_edit(self) -> None:
        self._act("Bob points his mailbox at the chief executive's address.")
        seen = await self._person("bob").update(
            "mailboxes", people.BOB.mailbox_id, {"emailaddress": people.CEO.address}
        )
        self._caller(seen)
        answer = self._guard_said()
        _promise(seen.code == WEBHOOK_REFUSED, f"the caller should see {WEBHOOK_REFUSED}: {seen}")
        _promise(
            answer["decision"] == "reject", f"the guard should reject and said {answer['decision']}"
        )
        address = self._column("mailbox", people.BOB.mailbox_id, "emailaddress")
        self._tell(f"    Dataverse       rolled back; the row still says {address}")
        _promise(address == people.BOB.address, "the address should be as before")
        self._close("a user points their mailbox at the chief executive", "rejected", str(seen))

    async def _told_why(self) -> None:
        self._act("Bob looks at his notifications in Dataverse.")
        await self._stage.until(self._has_notification, "the notification for Bob")
        (told,) = self._notifications()
        self._tell(f"    Bob             {told['title']}")
        for line in str(told["body"]).splitlines():
            self._tell(f"                    {line}")
        self._close("they read why, where they work", "told once", "a notification in Dataverse")

    async def _bypass(self) -> None:
        self._act("An administrator points Anna's mailbox at the chief executive, past every step.")
        seen = await self._person("admin").update(
            "mailboxes", people.ANNA.mailbox_id, {"emailaddress": people.CEO.address}, bypasses=True
        )
        self._caller(seen)
        _promise(seen.is_done, f"the synchronous step should be skipped: {seen}")
        await self._stage.until(self._is_annas_own, "Anna's address to be written back")
        address = self._column("mailbox", people.ANNA.mailbox_id, "emailaddress")
        self._tell(
            "    Guard           the asynchronous step told of an edit that nobody had decided: "
            f"rejected, written back to {address}"
        )
        self._close("an administrator goes past the guard", "caught, written back", str(address))

    async def _hold(self) -> None:
        self._act("An approver corrects the chief financial officer's address, which is old.")
        seen = await self._person("approver").update(
            "mailboxes", people.CFO.mailbox_id, {"emailaddress": people.CFO.address}
        )
        self._caller(seen)
        answer = self._guard_said()
        _promise(answer["decision"] == "hold", f"it should be held: {answer['decision']}")
        listed = await self._stage.command("holds", "list", "--state", "open", "--output", "json")
        _promise(len(listed) == 1, f"one hold should wait for somebody: {len(listed)}")
        self._tell("    Guard           waits for a second person, who signs in and agrees")
        await self._stage.signed_in(
            people.GLOBAL_ADMIN,
            *("holds", "approve", listed[0]["id"], "--reason", "Her new name.", "--output", "json"),
        )
        await self._stage.until(self._is_cfos_own, "the released address to be written")
        self._tell(f"    Dataverse       the row says {people.CFO.address}, written by the guard")
        self._close("a VIP's address needs a second person", "held, released", "signed in by Entra")

    async def _anchor(self) -> None:
        self._act("The heads of the ledger leave the house: an anchor.")
        line = await self._stage.command("decisions", "anchor")
        self._anchors.write_text(line, encoding="utf-8")
        self._tell("    Auditor         keeps one line, where no administrator of ours can write")
        self._close("an anchor of the ledger is taken", "kept elsewhere", "one line")

    async def _legitimate_edit(self) -> None:
        self._act("The service desk corrects the spelling of Bob's address.")
        corrected = people.BOB.address.replace("bob", "Bob")
        seen = await self._person("desk").update(
            "mailboxes", people.BOB.mailbox_id, {"emailaddress": corrected}
        )
        self._caller(seen)
        answer = self._guard_said()
        _promise(seen.is_done, f"the edit should go through: {seen}")
        _promise(
            answer["decision"] == "allow", f"the guard should allow and said {answer['decision']}"
        )
        self._close("the service desk corrects an address", "allowed", str(seen))

    async def _unqualified_approval(self) -> None:
        self._act("An administrator without the approver's role approves Bob's mailbox.")
        seen = await self._person("admin").update(
            "mailboxes", people.BOB.mailbox_id, {"emailrouteraccessapproval": APPROVED}
        )
        self._caller(seen)
        answer = self._guard_said()
        _promise(seen.code == WEBHOOK_REFUSED, f"the caller should see {WEBHOOK_REFUSED}: {seen}")
        _promise(
            answer["decision"] == "reject", f"the guard should reject and said {answer['decision']}"
        )
        self._close("somebody unqualified approves", "rejected", str(seen))

    async def _qualified_approval(self) -> None:
        self._act("A qualified approver approves Bob's mailbox.")
        seen = await self._person("approver").update(
            "mailboxes", people.BOB.mailbox_id, {"emailrouteraccessapproval": APPROVED}
        )
        self._caller(seen)
        _promise(seen.is_done, f"the approval should go through: {seen}")
        self._guard_said()
        await self._stage.until(self._is_approved, "the guard to grant the approval")
        held = await self._mailbox()
        self._tell(
            "    Guard           confirmed by the asynchronous step, read the row back, granted: "
            f"Exchange object {held['object_id'][:8]}…, epoch {held['epoch']}"
        )
        self._close("a qualified person approves", "allowed, granted", f"epoch {held['epoch']}")

    async def _new_employee(self) -> None:
        self._act("The service desk creates a new employee; Dataverse creates the mailbox inside.")
        address = f"{NEWCOMER}@{people.DOMAIN}"
        object_id = people.stable_id(f"entra/{NEWCOMER}")
        self._stage.sandbox.directory.people[object_id] = EntraPerson(
            id=object_id,
            upn=address,
            display_name="New Employee",
            mail=address,
            proxy_addresses=[f"SMTP:{address}"],
        )
        seen = await self._person("desk").create(
            "systemusers",
            {
                "domainname": address,
                "internalemailaddress": address,
                "azureactivedirectoryobjectid": object_id,
                "firstname": "New",
                "lastname": "Employee",
            },
        )
        self._caller(seen)
        _promise(seen.is_done, f"the new employee should not be blocked: {seen}")
        made = [
            row
            for row in self._stage.sandbox.rows("mailbox")
            if str(row["emailaddress"]).lower() == address
        ]
        self._tell(f"    Dataverse       {len(made)} mailbox for {address}, waiting for approval")
        _promise(len(made) == 1, "the nested Create should have made one mailbox")
        self._close("a new employee with a nested mailbox", "not blocked", str(seen))

    async def _first_mails(self) -> None:
        self._act("The sync loop sees the approval: 30 mails lie in Bob's Inbox.")
        await self._stage.until(
            self._has_mails(30), "30 mails in Dataverse", progress=self._mail_writes
        )
        await self._sync()
        rows = self._emails()
        writes, reads = self._mail_writes(), self._accesses()
        once = "each once" if _each_once(rows) else "some of them twice"
        self._tell(
            f"    Dataverse       {len(rows)} mails, {once}; {writes} writes, attachments included"
        )
        self._tell(f"    Exchange        {reads} requests to Bob's mailbox, by its object id")
        _promise(len(rows) == 30 and _each_once(rows), f"30 mails, once each: {len(rows)}")
        self._close("30 mails reach Dataverse", "once each", f"{reads} requests to the mailbox")

    async def _another_mail(self) -> None:
        self._act("A new mail arrives.")
        self._stage.sandbox.deliver_mail("bob", subject="Where is my order?", text="I wait.")
        began = self._stage.sandbox.clock.monotonic()
        await self._stage.until(self._has_mails(31), "the new mail in Dataverse")
        took = self._stage.sandbox.clock.monotonic() - began
        subjects = [str(row["subject"]) for row in self._emails()]
        self._tell(f"    Dataverse       {len(subjects)} mails, the new one after {took:.0f} s")
        _promise("Where is my order?" in subjects, "the new mail should be there")
        self._close("a new mail arrives", "follows", f"{len(subjects)} mails")

    async def _withdrawal(self) -> None:
        self._act("An operator withdraws the approval; then another mail arrives.")
        await self._stage.command(
            "mailboxes", "withdraw", people.BOB.mailbox_id, "--reason", "The demo ends."
        )
        before = self._accesses()
        self._stage.sandbox.deliver_mail("bob", subject="Nobody reads this", text="…")
        await self._sync()
        after = self._accesses()
        self._tell(f"    Exchange        requests to Bob's mailbox since: {after - before}")
        _promise(after == before, f"nothing more should be read: {after - before} requests")
        _promise(len(self._emails()) == 31, "no further mail should reach Dataverse")
        self._close("the approval is withdrawn", "nothing more is read", "0 requests")

    async def _proof(self) -> None:
        self._act("An auditor checks the record.")
        verdict = await self._stage.command(
            "decisions", "verify", "--against", str(self._anchors), "--output", "json"
        )
        whole = "whole" if verdict["whole"] else f"not whole: {verdict['reason']}"
        self._tell(f"    Guard           {verdict['checked']} decisions, the ledger is {whole}")
        _promise(verdict["whole"], f"the ledger should be whole and is {whole}")
        _promise(verdict["anchors"] == 1, "it should be held against the anchor")
        self._close(
            "the ledger is verified against the anchor", "whole", f"{verdict['checked']} decisions"
        )

    def _person(self, alias: str) -> DemoPerson:
        return DemoPerson(self._stage.sandbox, alias)

    def _act(self, text: str) -> None:
        self._tell(f"\n{len(self.scenes) + 1}. {text}")

    def _caller(self, seen: Seen) -> None:
        self._tell(f"    Caller          {seen}" + (f": {seen.message}" if seen.message else ""))

    def _guard_said(self) -> dict[str, Any]:
        """Tell and return the guard's answer to the newest synchronous delivery."""
        delivery = [one for one in self._stage.sandbox.webhook_log() if one.mode == 0][-1]
        answer: dict[str, Any] = json.loads(delivery.answer)
        _promise("decision" in answer, f"the guard should decide: {delivery.answer}")
        said = f"{answer['decision']} (HTTP {delivery.status})"
        for finding in answer["findings"]:
            said += f"\n                    {finding['policy']}/{finding['rule']}: "
            said += finding["message"]
        self._tell(f"    Guard           {said}")
        return answer

    def _close(self, act: str, outcome: str, seen: str) -> None:
        self.scenes.append(Scene(act, outcome, seen))

    def _column(self, table: str, record_id: str, column: str) -> object:
        row = self._stage.sandbox.row(table, record_id)
        return None if row is None else row[column]

    def _notifications(self) -> list[Any]:
        return [
            row
            for row in self._stage.sandbox.rows("appnotification")
            if row["ownerid"] is not None and row["ownerid"].id == people.BOB.user_id
        ]

    async def _has_notification(self) -> bool:
        return bool(self._notifications())

    async def _is_annas_own(self) -> bool:
        address = self._column("mailbox", people.ANNA.mailbox_id, "emailaddress")
        return address == people.ANNA.address

    async def _is_cfos_own(self) -> bool:
        address = self._column("mailbox", people.CFO.mailbox_id, "emailaddress")
        return address == people.CFO.address

    def _emails(self) -> list[Any]:
        return self._stage.sandbox.rows("email")

    def _accesses(self) -> int:
        """Return how many requests have reached into Bob's mailbox so far."""
        inside = f"/users/{people.BOB.object_id}/"
        return sum(inside in one.path.lower() for one in self._stage.sandbox.access_log())

    def _mail_writes(self) -> int:
        """Return how many writes to mail rows and attachments Dataverse has seen."""
        tables = ("/emails", "/activitymimeattachments")
        return sum(
            one.method in ("PATCH", "POST") and any(table in one.path for table in tables)
            for one in self._stage.sandbox.access_log()
        )

    def _has_mails(self, number: int) -> Callable[[], Awaitable[bool]]:
        async def are_there() -> bool:
            received = [row for row in self._emails() if row["statuscode"] == RECEIVED]
            return len(received) >= number

        return are_there

    async def _sync(self) -> None:
        counts = await self._stage.command("sync", "run", "--once", "--output", "json")
        told = ", ".join(
            f"{name} {counts[name]}"
            for name in ("mailboxes", "listed", "tracked", "created", "graph_requests")
        )
        self._tell(f"    Sync            one more pass: {told}".replace("_", " "))

    async def _mailbox(self) -> dict[str, Any]:
        listed = await self._stage.command("mailboxes", "list", "--output", "json")
        return next((one for one in listed if one["id"] == people.BOB.mailbox_id), {})

    async def _is_approved(self) -> bool:
        return bool((await self._mailbox()).get("approved"))


def _each_once(rows: list[Any]) -> bool:
    return max(Counter(str(row["messageid"]) for row in rows).values(), default=0) == 1


def _promise(kept: bool, otherwise: str) -> None:
    if not kept:
        raise DemoFailed(f"The demo did not end as promised: {otherwise}.")
