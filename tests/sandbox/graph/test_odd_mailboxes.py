"""The sandbox plays what was reported of Graph: circles, corrupt items, odd attachments, halves."""

from __future__ import annotations

from sandbox.faults import FaultPlan, PlannedFault
from sandbox.graph.delta import Link, StreamFaults, round_page
from sandbox.graph.mailboxes import Arrival, Exchange
from sandbox.graph.messages import Attachment, Message, extended_shown
from sandbox.odata import parse_expand
from tests.conftest import NOON

HAS_ATTACHMENTS = "singleValueExtendedProperties($filter=id eq 'Boolean 0xe1b')"


def a_mailbox(*attachments: Attachment) -> tuple[Exchange, Message]:
    exchange = Exchange("contoso.com")
    mailbox = exchange.create("an-object", "anna@contoso.com")
    mail = Arrival(subject="One", sender="a@fabrikam.com", attachments=attachments)
    return exchange, exchange.deliver(mailbox, mail, now=NOON)


def a_link(exchange: Exchange) -> Link:
    mailbox = exchange.mailboxes["an-object"]
    inbox = mailbox.folder("inbox")
    assert inbox is not None
    return Link("an-object", inbox.id, 1, immutable=True, since=0, until=len(mailbox.journal))


def test_a_round_goes_in_circles_by_the_same_link_or_by_others() -> None:
    exchange, _ = a_mailbox()
    mailbox, link = exchange.mailboxes["an-object"], a_link(exchange)

    same = round_page(
        mailbox, link, size=10, faults=StreamFaults(repeat_link=True), text_body=False
    )
    other = round_page(
        mailbox, link, size=10, faults=StreamFaults(repeat_page=True), text_body=False
    )

    assert (same.items, same.link, same.is_last) == ([], link, False)
    assert (len(other.items), other.link == link, other.is_last) == (1, False, False)


def test_an_inline_attachment_is_told_by_its_mapi_property_alone() -> None:
    inline = Attachment("a", "logo.png", "image/png", b"x", is_inline=True)
    _, mail = a_mailbox(inline)

    assert mail.as_json(immutable=True)["hasAttachments"] is False
    [told] = extended_shown(mail, parse_expand(HAS_ATTACHMENTS))["singleValueExtendedProperties"]
    assert (told["id"], told["value"]) == ("Boolean 0xe1b", "true")


def test_an_attachment_is_told_as_a_test_wants_it() -> None:
    odd = Attachment("a", "a.pdf", "application/pdf", b"x", told={"size": 7, "contentBytes": "@"})
    assert (odd.as_json()["size"], odd.as_json()["contentBytes"]) == (7, "@")


def test_a_fault_may_be_planned_by_a_pattern_over_method_and_path() -> None:
    plan = FaultPlan()
    plan.add(PlannedFault("graph", "", 404, pattern=r"GET .*/attachments/[^/?]+$", times=9))
    base = "https://127.0.0.1/v1.0/users/a/messages/b/attachments"

    assert plan.match("graph", "GET", f"{base}/c") is not None
    for method, url in (("GET", base), ("GET", f"{base}/c/$value"), ("DELETE", f"{base}/c")):
        assert plan.match("graph", method, url) is None
