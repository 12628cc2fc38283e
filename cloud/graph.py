"""Microsoft Graph as guard and sync need it: directory facts, and mail of one mailbox.

Mailboxes are addressed by Entra object id only, and every request for one asks for immutable ids,
never without (a change of that preference ends a stream).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloud.call import Answer, CallClass, Permit
from cloud.classify import ITEM_GONE_CODES
from cloud.client import Client
from cloud.errors import BadAnswer, ForeignLink, NotThere, RequestRejected
from cloud.odata import link_within, list_of, literal, own_link, query, rows_of, segment
from cloud.odata import select as columns_of

Item = dict[str, Any]

USER_SELECT = (
    "id",
    "userPrincipalName",
    "mail",
    "proxyAddresses",
    "otherMails",
    "displayName",
    "mailNickname",
    "accountEnabled",
    "userType",
    "assignedLicenses",
)
# Enough to judge and link a message; the body is fetched only for mail that is tracked.
MESSAGE_SELECT = (
    "id",
    "internetMessageId",
    "conversationId",
    "subject",
    "from",
    "sender",
    "toRecipients",
    "ccRecipients",
    "bccRecipients",
    "receivedDateTime",
    "sentDateTime",
    "lastModifiedDateTime",
    "hasAttachments",
    "importance",
    "isDraft",
    "parentFolderId",
    "changeKey",
)
ATTACHMENT_SELECT = ("id", "name", "contentType", "size", "isInline", "lastModifiedDateTime")
_ROLE_SELECT = ("id", "displayName", "roleTemplateId")
_PAGES_MAX = 1000
# What Exchange stumbles over is mostly one item, and the mailbox has others.
_STUMBLES_MOST = 3


@dataclass(frozen=True, slots=True)
class Recipient:
    """What holds an address: `kind` is user, group or contact."""

    kind: str
    is_deleted: bool
    item: Item


# Where else than among users somebody may hold an address.
_DELETED = "/directory/deletedItems/microsoft.graph."
_RECIPIENTS = (
    ("/groups", "group", False),
    ("/contacts", "contact", False),
    (f"{_DELETED}user", "user", True),
    (f"{_DELETED}group", "group", True),
)
_RECIPIENT_SELECT = ("id", "displayName", "mail", "proxyAddresses")


@dataclass(frozen=True, slots=True)
class DeltaPage:
    """One page of a delta round; of the two links exactly one is given.

    `items` may be empty although `next_link` is given; removed ones carry `@removed`.
    """

    items: list[Any]
    next_link: str | None
    delta_link: str | None


class Graph(Client):
    """The calls to Graph, each with its deadline and its reason."""

    # Directory facts

    async def user(
        self, key: str, *, select: Sequence[str] = USER_SELECT, reason: str = "read a user"
    ) -> Item | None:
        """Return the user with that object id or user principal name; None when there is none.

        Raises NotThere for a 404 without Graph's own code: some proxy's word is no proof.
        """
        try:
            answer = await self._get(_user_path(key) + _selecting(select), reason=reason)
        except NotThere as error:
            if not error.service_code:
                raise
            return None
        return answer.json_object()

    async def users_by_address(
        self,
        address: str,
        *,
        select: Sequence[str] = USER_SELECT,
        reason: str = "find the users of an address",
    ) -> list[Item]:
        """Return the users whose UPN, mail or proxyAddresses hold the address, by the index.

        The index lags behind: read each by id before relying on it. Ordered as found, each once.
        """
        terms = _address_terms(address)
        try:
            return await self._users_where(" or ".join(terms), select, reason)
        except RequestRejected as error:
            if error.status != 400:
                raise
        # A directory that does not take the alternatives in one filter takes them one by one.
        found: dict[str, Item] = {}
        for term in terms:
            for user in await self._users_where(term, select, reason):
                found.setdefault(str(user.get("id")), user)
        return list(found.values())

    async def others_by_address(
        self, address: str, *, reason: str = "find what else holds an address"
    ) -> list[Recipient]:
        """Return what holds the address beside users: groups, contacts and deleted objects.

        By the index, which lags behind; a deleted user's sign-in name stands behind its id.
        """
        found: list[Recipient] = []
        for path, kind, is_deleted in _RECIPIENTS:
            terms = _address_terms(address)
            if kind != "user":
                terms = [term for term in terms if not term.startswith("userPrincipalName")]
            elif is_deleted:
                terms.append(f"endsWith(userPrincipalName,{literal(address)})")
            select = USER_SELECT if kind == "user" else _RECIPIENT_SELECT
            items = await self._where(path, " or ".join(terms), select, reason)
            found += [Recipient(kind, is_deleted, item) for item in items]
        return found

    async def directory_roles(
        self, user_id: str, *, reason: str = "read a user's directory roles"
    ) -> list[Item]:
        """Return the active tenant-wide roles, direct or by group: roleTemplateId, displayName.

        Raises NotThere when the user does not exist.
        """
        path = f"{_user_path(user_id)}/transitiveMemberOf/microsoft.graph.directoryRole"
        return await self._all(path + _selecting(_ROLE_SELECT), reason=reason)

    async def mailbox_settings(
        self, object_id: str, *, select: Sequence[str], reason: str = "read a mailbox's settings"
    ) -> Item:
        """Return these settings of a user's mailbox: a directory fact, no access to a mailbox.

        Raises NotThere when there is no such user, or no mailbox of theirs in Exchange Online, and
        Refused without the permission MailboxSettings.Read.
        """
        answer = await self._get(
            f"{_user_path(object_id)}/mailboxSettings{_selecting(select)}",
            reason=reason,
            # Exchange throttles by mailbox: the directory doesn't wait until one is ready again.
            budget=f"settings of {object_id}",
        )
        return answer.json_object()

    # Mail of one mailbox

    async def message_delta(
        self,
        object_id: str,
        *,
        folder: str = "inbox",
        link: str | None = None,
        page_size: int = 50,
        permit: Permit,
        select: Sequence[str] = MESSAGE_SELECT,
        expand: str = "",
        reason: str = "list changed messages",
    ) -> DeltaPage:
        """Return one page of a folder's delta round, from `link` or from the beginning.

        The link is used as it came, but for a mailbox that it names in another way than by object
        id. Raises CursorLost when it is dead, and ForeignLink when it leads out of the service or
        the mailbox.
        """
        if link is None:
            path = f"{_user_path(object_id)}/mailFolders/{segment(folder)}/messages/delta"
            url = self._service.base_url + path + _selecting(select, expand)
        else:
            url = self._own_link(link, object_id) or link
        answer = await self._mailbox_get(
            object_id, url, permit=permit, reason=reason, prefer=[f"odata.maxpagesize={page_size}"]
        )
        page = answer.json_object()
        next_link = self._own_link(page.get("@odata.nextLink"), object_id)
        delta_link = self._own_link(page.get("@odata.deltaLink"), object_id)
        if next_link is None and delta_link is None:
            raise BadAnswer(
                "A delta page came without a link to go on with.",
                status=answer.status,
                request_id=answer.request_id,
                client_request_id=answer.client_request_id,
            )
        # An entry that is no object is its reader's to set aside: the page has others.
        items = list_of(answer, page)
        return DeltaPage(items, next_link, None if next_link else delta_link)

    async def inbox_id(
        self, object_id: str, *, permit: Permit, reason: str = "find an Inbox"
    ) -> str:
        """Return the id of a mailbox's Inbox, and nothing of any mail.

        Raises Refused where the mailbox may not be read, NotThere where there is none.
        """
        url = f"{self._service.base_url}{_user_path(object_id)}/mailFolders/inbox?$select=id"
        answer = await self._mailbox_get(object_id, url, permit=permit, reason=reason)
        return str(answer.json_object().get("id") or "")

    async def message(
        self,
        object_id: str,
        message_id: str,
        *,
        select: Sequence[str] = (),
        expand: str = "",
        permit: Permit,
        reason: str = "read a message",
    ) -> Item | None:
        """Return the message, None only when the service says that this item is gone.

        Raises NotThere for any other 404: a mailbox that is gone says nothing about its items.
        """
        url = self._message_url(object_id, message_id) + _selecting(select, expand)
        try:
            answer = await self._mailbox_get(object_id, url, permit=permit, reason=reason)
        except NotThere as error:
            if error.service_code.lower() in ITEM_GONE_CODES:
                return None
            raise
        return answer.json_object()

    async def attachments(
        self,
        object_id: str,
        message_id: str,
        *,
        permit: Permit,
        reason: str = "list a message's attachments",
    ) -> list[Item]:
        """Return the attachments without their bytes: @odata.type, id, name, contentType, size."""
        url = f"{self._message_url(object_id, message_id)}/attachments"
        link: str | None = url + _selecting(ATTACHMENT_SELECT)
        found: list[Item] = []
        for _ in range(_PAGES_MAX):
            if link is None:
                return found
            answer = await self._mailbox_get(object_id, link, permit=permit, reason=reason)
            page = answer.json_object()
            for item in rows_of(answer, page):
                item.pop("contentBytes", None)
                found.append(item)
            link = self._own_link(page.get("@odata.nextLink"), object_id)
        raise BadAnswer("The attachments of a message do not end.")

    async def attachment_bytes(
        self,
        object_id: str,
        message_id: str,
        attachment_id: str,
        *,
        permit: Permit,
        reason: str = "read an attachment",
    ) -> bytes:
        """Return the bytes of a file attachment, or the MIME text of an attached item.

        Raises NotThere when it is gone, BadAnswer when its bytes are not base64.
        """
        base = f"{self._message_url(object_id, message_id)}/attachments/{segment(attachment_id)}"
        answer = await self._mailbox_get(object_id, base, permit=permit, reason=reason)
        content = answer.json_object().get("contentBytes")
        if not isinstance(content, str):
            raw = await self._mailbox_get(
                object_id, f"{base}/$value", permit=permit, reason=reason, accept="*/*"
            )
            return raw.body
        try:
            return base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadAnswer(
                "The bytes of an attachment are not base64.",
                status=answer.status,
                request_id=answer.request_id,
                client_request_id=answer.client_request_id,
            ) from error

    # How requests are made

    async def send_mail(
        self,
        sender_id: str,
        message: Mapping[str, Any],
        *,
        permit: Permit,
        failpoint: str,
        reason: str,
    ) -> None:
        """Send a message from a mailbox, once; it is kept in its Sent Items.

        Raises Unknown when it may have been sent all the same: it is never sent again blindly.
        """
        call = self._call(
            "POST",
            f"{_user_path(sender_id)}/sendMail",
            json={"message": dict(message), "saveToSentItems": True},
            budget=sender_id,
            call_class=CallClass.SEND,
            failpoint=failpoint,
            reason=reason,
        )
        await self._transport.send(call, permit=permit)

    async def _users_where(self, term: str, columns: Sequence[str], reason: str) -> list[Item]:
        return await self._where("/users", term, columns, reason)

    async def _where(self, path: str, term: str, columns: Sequence[str], reason: str) -> list[Item]:
        options = query({"$filter": term, "$count": "true", "$select": columns_of(columns)})
        return await self._all(path + options, reason=reason, eventual=True)

    async def _all(self, path: str, *, reason: str, eventual: bool = False) -> list[Item]:
        return [item async for item in self._each(path, reason=reason, eventual=eventual)]

    async def _each(self, path: str, *, reason: str, eventual: bool) -> AsyncIterator[Item]:
        link: str | None = self._service.base_url + path
        for _ in range(_PAGES_MAX):
            if link is None:
                return
            answer = await self._get(link, reason=reason, eventual=eventual)
            page = answer.json_object()
            for item in rows_of(answer, page):
                yield item
            link = own_link(self._service, page.get("@odata.nextLink"))
        raise BadAnswer(f"{reason}: the pages do not end.")

    async def _get(
        self, path_or_link: str, *, reason: str, eventual: bool = False, budget: str | None = None
    ) -> Answer:
        # ConsistencyLevel is needed again on each page.
        headers = {"ConsistencyLevel": "eventual"} if eventual else {}
        return await self._transport.send(
            self._call("GET", path_or_link, headers=headers, reason=reason, budget=budget)
        )

    async def _mailbox_get(
        self,
        object_id: str,
        url: str,
        *,
        permit: Permit,
        reason: str,
        prefer: Iterable[str] = (),
        accept: str = "application/json",
    ) -> Answer:
        preferences = ", ".join(('IdType="ImmutableId"', *prefer))
        headers = {"Prefer": preferences, "Accept": accept}
        call = self._call(
            "GET",
            url,
            headers=headers,
            budget=object_id,
            reason=reason,
            stumbles_most=_STUMBLES_MOST,
        )
        return await self._transport.send(call, permit=permit)

    def _message_url(self, object_id: str, message_id: str) -> str:
        return f"{self._service.base_url}{_user_path(object_id)}/messages/{segment(message_id)}"

    def _own_link(self, link: Any, object_id: str) -> str | None:
        """Return a link of this mailbox; a permit for one mailbox opens no other."""
        checked = own_link(self._service, link)
        if checked is None:
            return None
        within = link_within(checked, object_id, self._service)
        if within is None:
            raise ForeignLink("graph: a link leads out of the mailbox.")
        return within


def _user_path(key: str) -> str:
    """Return the path of a user; a UPN that begins with $ needs the key syntax."""
    if key.startswith("$"):
        return f"/users({segment(literal(key))})"
    return f"/users/{segment(key).replace('%40', '@')}"


def _selecting(columns: Sequence[str], expand: str = "") -> str:
    return query({"$select": columns_of(columns), "$expand": expand or None})


def _address_terms(address: str) -> list[str]:
    """Return the alternatives of the filter; as written, and in lower case where that differs."""
    terms: list[str] = []
    for spelling in dict.fromkeys((address, address.lower())):
        terms += [
            f"userPrincipalName eq {literal(spelling)}",
            f"mail eq {literal(spelling)}",
            f"proxyAddresses/any(p:p eq {literal('smtp:' + spelling)})",
            f"proxyAddresses/any(p:p eq {literal('SMTP:' + spelling)})",
        ]
    return terms
