"""Mail through Graph: folders, messages, attachments, delta rounds, sending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from sandbox.directory import Directory
from sandbox.graph.asking import Answer, Ask, Served, demand, serve
from sandbox.graph.delta import (
    DEFAULT_PAGE,
    LARGEST_PAGE,
    Link,
    StreamFaults,
    read_link,
    round_page,
    selected,
    sync_state_lost,
    write_link,
)
from sandbox.graph.mailboxes import Exchange, Folder, Mailbox
from sandbox.graph.messages import (
    Attachment,
    Message,
    apply_body,
    graph_time,
    read_attachment,
    to_text,
)
from sandbox.graph.problems import Problem, bad_token, no_such_item
from sandbox.graph.users import no_mailbox
from sandbox.odata import QueryRefused, moment, parse_expand, parse_filter, sort_key, split_outside

READ = ("Mail.Read", "Mail.ReadWrite", "Mail.ReadBasic.All")
READ_CONTENT = ("Mail.Read", "Mail.ReadWrite")
WRITE = ("Mail.ReadWrite",)
SEND = ("Mail.Send",)


class Mail:
    """Handlers of mail."""

    def __init__(self, directory: Directory, exchange: Exchange, *, secret: str) -> None:
        self._directory, self._exchange, self._secret = directory, exchange, secret
        self.faults: dict[str, StreamFaults] = {}
        # Mailboxes that an application may reach without a tenant-wide permission.
        self.scoped: dict[str, set[str]] = {}
        self.denied: dict[str, set[str]] = {}

    def routes(self) -> list[Served]:
        """Return what is served here."""
        folders, messages = "/users/{user}/mailFolders", "/users/{user}/messages"
        folder, message = f"{folders}/{{folder}}", f"{messages}/{{message}}"
        return [
            serve("GET", folders, self._folders),
            serve("GET", f"{folders}/delta", self._folders_delta),
            serve("GET", folder, self._folder),
            serve("GET", f"{folder}/messages", self._list_folder),
            serve("GET", f"{folder}/messages/delta", self._delta),
            serve("POST", f"{folder}/messages", self._create),
            serve("GET", f"{folder}/messages/{{message}}", self._get),
            serve("GET", messages, self._list),
            serve("POST", messages, self._create),
            serve("GET", message, self._get),
            serve("PATCH", message, self._update),
            serve("DELETE", message, self._delete),
            serve("GET", f"{message}/$value", self._mime),
            serve("POST", f"{message}/move", self._move),
            serve("POST", f"{message}/send", self._send_draft),
            serve("GET", f"{message}/attachments", self._attachments),
            serve("POST", f"{message}/attachments", self._attach),
            serve("GET", f"{message}/attachments/{{attachment}}", self._attachment),
            serve("GET", f"{message}/attachments/{{attachment}}/$value", self._attachment_bytes),
            serve("POST", "/users/{user}/sendMail", self._send_mail),
        ]

    def faults_of(self, object_id: str) -> StreamFaults:
        """Return the switches of a mailbox's streams."""
        return self.faults.setdefault(object_id, StreamFaults())

    def _mailbox(self, ask: Ask, roles: tuple[str, ...]) -> Mailbox:
        key = ask.variables["user"]
        person = self._directory.person(key)
        object_id = person.id if person else ""
        if object_id in self.denied.get(ask.bearer.app_id, ()):
            raise Problem(
                403,
                "ErrorAccessDenied",
                "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly "
                "AccessPolicy settings.",
            )
        if object_id not in self.scoped.get(ask.bearer.app_id, ()):
            demand(ask.bearer, *roles)
        if person is None:
            raise Problem(404, "ErrorInvalidUser", f"The requested user '{key}' is invalid.")
        mailbox = self._exchange.mailboxes.get(object_id)
        if mailbox is None:
            raise no_mailbox()
        return mailbox

    def _find_folder(self, ask: Ask, mailbox: Mailbox, key: str | None = None) -> Folder:
        folder = mailbox.folder(key or ask.variables["folder"])
        if folder is None:
            raise Problem(
                404, "ErrorItemNotFound", "The specified folder could not be found in the store."
            )
        return folder

    def _find(self, ask: Ask, mailbox: Mailbox) -> Message:
        message = mailbox.item(ask.variables["message"])
        if message is None:
            raise no_such_item()
        return message

    def _folder_json(self, mailbox: Mailbox, folder: Folder) -> dict[str, Any]:
        items = mailbox.in_folder(folder.id)
        children = [one for one in mailbox.folders.values() if one.parent_id == folder.id]
        return {
            "id": folder.id,
            "displayName": folder.name,
            "parentFolderId": folder.parent_id or folder.id,
            "childFolderCount": len(children),
            "unreadItemCount": sum(not one.properties["isRead"] for one in items),
            "totalItemCount": len(items),
            "sizeInBytes": sum(len(str(one.properties)) for one in items),
            "isHidden": False,
        }

    def _folders(self, ask: Ask) -> Answer:
        mailbox = self._mailbox(ask, READ)
        root = mailbox.folder("msgfolderroot")
        shown = [
            self._folder_json(mailbox, folder)
            for folder in mailbox.folders.values()
            if root is not None
            and folder.parent_id == root.id
            and folder.well_known != "recoverableitemsdeletions"
        ]
        return self._listing(ask, mailbox, shown, "mailFolders")

    def _folder(self, ask: Ask) -> Answer:
        mailbox = self._mailbox(ask, READ)
        folder = self._find_folder(ask, mailbox)
        body = selected(self._folder_json(mailbox, folder), ask.options.get("$select", ""))
        context = f"{ask.base}/$metadata#users('{mailbox.object_id}')/mailFolders/$entity"
        return Answer({"@odata.context": context, **body})

    def _folders_delta(self, ask: Ask) -> Answer:
        """Tell all folders in the first round and nothing afterwards: the set never changes."""
        mailbox = self._mailbox(ask, READ)
        known = ask.options.get("$deltatoken")
        shown = [] if known else [self._folder_json(mailbox, f) for f in mailbox.folders.values()]
        link = f"{ask.base}/users('{mailbox.object_id}')/mailFolders/delta?$deltatoken=folders"
        context = f"{ask.base}/$metadata#Collection(mailFolder)"
        return Answer({"@odata.context": context, "@odata.deltaLink": link, "value": shown})

    def _list_folder(self, ask: Ask) -> Answer:
        mailbox = self._mailbox(ask, READ)
        folder = self._find_folder(ask, mailbox)
        return self._messages(ask, mailbox, mailbox.in_folder(folder.id))

    def _list(self, ask: Ask) -> Answer:
        mailbox = self._mailbox(ask, READ)
        found = sorted(
            mailbox.items.values(), key=lambda m: m.properties["receivedDateTime"], reverse=True
        )
        return self._messages(ask, mailbox, found)

    def _messages(self, ask: Ask, mailbox: Mailbox, found: list[Message]) -> Answer:
        if text := ask.options.get("$filter"):
            try:
                wanted = parse_filter(text)
            except QueryRefused as error:
                raise Problem(400, "BadRequest", f"Invalid filter clause: {error}") from error
            found = [one for one in found if wanted(_resolver(one))]
        for part in reversed(split_outside(ask.options.get("$orderby", ""), ",")):
            name, _, way = part.partition(" ")
            found = sorted(
                found,
                key=lambda m, name=name: sort_key(_resolver(m)(name)),  # type: ignore[misc]
                reverse=way.strip().lower() == "desc",
            )
        shown = [self._shown(ask, one) for one in found]
        return self._listing(ask, mailbox, shown, "messages")

    def _listing(
        self, ask: Ask, mailbox: Mailbox, shown: list[dict[str, Any]], context: str
    ) -> Answer:
        size = ask.page_size or ask.whole("$top", default=DEFAULT_PAGE)
        size = min(max(size, 1), LARGEST_PAGE)
        start = ask.whole("$skip", default=0)
        select = ask.options.get("$select", "")
        part = f"users('{mailbox.object_id}')/{context}" + (f"({select})" if select else "")
        body: dict[str, Any] = {"@odata.context": f"{ask.base}/$metadata#{part}"}
        if ask.options.get("$count", "").casefold() == "true":
            body["@odata.count"] = len(shown)
        if start + size < len(shown):
            query = urlencode({**ask.options, "$skip": start + size}, safe="$", quote_via=quote)
            body["@odata.nextLink"] = f"{ask.base}/{ask.path}?{query}"
        body["value"] = [selected(one, select) for one in shown[start : start + size]]
        return Answer(body)

    def _shown(self, ask: Ask, message: Message) -> dict[str, Any]:
        body = message.as_json(immutable=ask.immutable, text_body=ask.text_body)
        if not (ask.bearer.roles & set(READ_CONTENT)) and "Mail.ReadBasic.All" in ask.bearer.roles:
            for hidden in ("body", "bodyPreview", "internetMessageHeaders"):
                body.pop(hidden, None)
        return body

    def _one(self, ask: Ask, mailbox: Mailbox, message: Message, *, status: int = 200) -> Answer:
        body = selected(self._shown(ask, message), ask.options.get("$select", ""))
        for expansion in parse_expand(ask.options.get("$expand", "")):
            if expansion.name.casefold() == "attachments":
                body["attachments"] = [one.as_json() for one in message.attachments]
            if expansion.name == "singleValueExtendedProperties":
                wanted = expansion.options.get("$filter", "")
                body[expansion.name] = [
                    {"id": key, "value": value}
                    for key, value in message.extended.items()
                    if key in wanted
                ]
        context = f"{ask.base}/$metadata#users('{mailbox.object_id}')/messages/$entity"
        headers = {}
        if status == 201:
            shown_id = quote(str(body["id"]))
            headers["Location"] = f"{ask.base}/users('{mailbox.object_id}')/messages('{shown_id}')"
        return Answer({"@odata.context": context, **body}, status, headers=headers)

    def _get(self, ask: Ask) -> Answer:
        mailbox = self._mailbox(ask, READ)
        message = self._find(ask, mailbox)
        if "folder" in ask.variables:
            folder = self._find_folder(ask, mailbox)
            if message.folder_id != folder.id:
                raise no_such_item()
        return self._one(ask, mailbox, message)

    def _create(self, ask: Ask) -> Answer:
        mailbox = self._mailbox(ask, WRITE)
        key = ask.variables.get("folder", "drafts")
        folder = self._find_folder(ask, mailbox, key)
        message = self._exchange.new_message(mailbox, folder.id, ask.fields(), now=ask.now)
        message.properties["isRead"] = True
        for one in ask.fields().get("attachments") or []:
            message.attachments.append(read_attachment(one, ask.now))
        mailbox.add(message)
        return self._one(ask, mailbox, message, status=201)

    def _update(self, ask: Ask) -> Answer:
        mailbox = self._mailbox(ask, WRITE)
        message = self._find(ask, mailbox)
        apply_body(message, ask.fields())
        mailbox.changed(message, ask.now)
        return self._one(ask, mailbox, message)

    def _delete(self, ask: Ask) -> Answer:
        mailbox = self._mailbox(ask, WRITE)
        message = self._find(ask, mailbox)
        mailbox.delete(message)
        return Answer(status=204)

    def _move(self, ask: Ask) -> Answer:
        mailbox = self._mailbox(ask, WRITE)
        message = self._find(ask, mailbox)
        target = self._find_folder(ask, mailbox, str(ask.parameter("destinationId")))
        moved = mailbox.move(message, target.id, ask.now)
        return self._one(ask, mailbox, moved, status=201)

    def _mime(self, ask: Ask) -> Answer:
        message = self._find(ask, self._mailbox(ask, READ_CONTENT))
        return Answer(content=as_mime(message), content_type="text/plain")

    def _attachments(self, ask: Ask) -> Answer:
        mailbox = self._mailbox(ask, READ_CONTENT)
        message = self._find(ask, mailbox)
        shown = [one.as_json() for one in message.attachments]
        part = f"users('{mailbox.object_id}')/messages('{ask.variables['message']}')/attachments"
        select = ask.options.get("$select", "")
        return Answer(
            {
                "@odata.context": f"{ask.base}/$metadata#{part}",
                "value": [selected(one, select) for one in shown],
            }
        )

    def _find_attachment(self, ask: Ask) -> Attachment:
        message = self._find(ask, self._mailbox(ask, READ_CONTENT))
        wanted = ask.variables["attachment"]
        found = next((one for one in message.attachments if one.id == wanted), None)
        if found is None:
            raise no_such_item()
        return found

    def _attachment(self, ask: Ask) -> Answer:
        body = selected(self._find_attachment(ask).as_json(), ask.options.get("$select", ""))
        part = f"users('{ask.variables['user']}')/messages('{ask.variables['message']}')"
        context = f"{ask.base}/$metadata#{part}/attachments/$entity"
        return Answer({"@odata.context": context, **body})

    def _attachment_bytes(self, ask: Ask) -> Answer:
        found = self._find_attachment(ask)
        return Answer(content=found.content, content_type=found.content_type)

    def _attach(self, ask: Ask) -> Answer:
        mailbox = self._mailbox(ask, WRITE)
        message = self._find(ask, mailbox)
        added = read_attachment(ask.fields(), ask.now)
        message.attachments.append(added)
        mailbox.changed(message, ask.now)
        context = f"{ask.base}/$metadata#attachments/$entity"
        return Answer({"@odata.context": context, **added.as_json()}, 201)

    def _send_draft(self, ask: Ask) -> Answer:
        mailbox = self._mailbox(ask, SEND)
        message = self._find(ask, mailbox)
        if not message.properties["isDraft"]:
            raise Problem(400, "ErrorInvalidRequest", "The message has already been sent.")
        self._send(ask, mailbox, message, keep=True)
        return Answer(status=202)

    def _send_mail(self, ask: Ask) -> Answer:
        mailbox = self._mailbox(ask, SEND)
        body = ask.parameter("message")
        if not isinstance(body, Mapping):
            raise Problem(400, "ErrorInvalidRequest", "The parameter 'message' is missing.")
        message = self._exchange.new_message(mailbox, "drafts", body, now=ask.now)
        for one in body.get("attachments") or []:
            message.attachments.append(read_attachment(one, ask.now))
        mailbox.add(message)
        self._send(ask, mailbox, message, keep=ask.parameter("saveToSentItems") is not False)
        return Answer(status=202)

    def _send(self, ask: Ask, mailbox: Mailbox, message: Message, *, keep: bool) -> None:
        """Hand a draft to transport: it leaves Drafts and arrives where it is addressed to."""
        message.properties["isDraft"] = False
        message.properties["sentDateTime"] = graph_time(ask.now)
        message.properties.setdefault("from", {"emailAddress": {"address": mailbox.address}})
        sent = mailbox.folder("sentitems")
        if keep and sent is not None:
            mailbox.move(message, sent.id, ask.now)
        else:
            mailbox.delete(message)
        for address in _addressed(message):
            for other in self._exchange.mailboxes.values():
                if other.address.casefold() == address.casefold():
                    self._arrive(ask, other, message)

    def _arrive(self, ask: Ask, mailbox: Mailbox, sent: Message) -> None:
        copy = self._exchange.new_message(mailbox, "inbox", sent.properties, now=ask.now)
        copy.properties["isDraft"] = False
        copy.headers = [dict(one) for one in sent.headers]
        copy.attachments = list(sent.attachments)
        mailbox.add(copy)

    def _delta(self, ask: Ask) -> Answer:
        mailbox = self._mailbox(ask, READ)
        folder = self._find_folder(ask, mailbox)
        faults = self.faults_of(mailbox.object_id)
        link = self._link(ask, mailbox, folder, faults)
        size = ask.page_size or ask.whole("$top", default=DEFAULT_PAGE)
        size = min(max(size, 1), LARGEST_PAGE)
        page = round_page(mailbox, link, size=size, faults=faults, text_body=ask.text_body)
        token = write_link(page.link, self._secret)
        kind, name = ("deltaLink", "$deltatoken") if page.is_last else ("nextLink", "$skiptoken")
        where = self._delta_path(ask, mailbox, folder)
        return Answer(
            {
                "@odata.context": f"{ask.base}/$metadata#Collection(message)",
                f"@odata.{kind}": f"{where}?{name}={token}",
                "value": [selected(item, link.select) for item in page.items],
            }
        )

    def _delta_path(self, ask: Ask, mailbox: Mailbox, folder: Folder) -> str:
        return f"{ask.base}/users('{mailbox.object_id}')/mailFolders('{folder.id}')/messages/delta"

    def _link(self, ask: Ask, mailbox: Mailbox, folder: Folder, faults: StreamFaults) -> Link:
        skip, delta = ask.options.get("$skiptoken"), ask.options.get("$deltatoken")
        if skip is None and delta is None:
            return self._first_link(ask, mailbox, folder)
        link = read_link(skip or delta or "", self._secret)
        if (link.mailbox, link.folder) != (mailbox.object_id, folder.id):
            raise bad_token()
        if link.generation != mailbox.generation or self._loses(faults, mid_round=delta is None):
            location = self._delta_path(ask, mailbox, folder)
            raise sync_state_lost(mailbox, location)
        if link.immutable != ask.immutable and faults.refuse_other_id_type:
            raise Problem(400, "SyncStateInvalid", "The sync state is invalid for this request.")
        # A delta link opens a new round: from what was told to what is there now.
        return link if skip is not None else replace(link, until=len(mailbox.journal))

    def _loses(self, faults: StreamFaults, *, mid_round: bool) -> bool:
        if mid_round and faults.lose_sync_state_mid_round > 0:
            faults.lose_sync_state_mid_round -= 1
            return True
        if not mid_round and faults.lose_sync_state > 0:
            faults.lose_sync_state -= 1
            return True
        return False

    def _first_link(self, ask: Ask, mailbox: Mailbox, folder: Folder) -> Link:
        return Link(
            mailbox=mailbox.object_id,
            folder=folder.id,
            generation=mailbox.generation,
            immutable=ask.immutable,
            since=0,
            until=len(mailbox.journal),
            select=ask.options.get("$select", ""),
            change_type=ask.options.get("changeType", ask.options.get("changetype", "")),
            after=_received_after(ask.options.get("$filter", "")),
        )


def _received_after(text: str) -> str:
    """Return the moment of the only filter that delta takes. Raises Problem for another."""
    if not text:
        return ""
    words = text.split()
    if len(words) != 3 or words[0] != "receivedDateTime" or words[1] not in ("ge", "gt"):
        raise Problem(400, "ErrorInvalidUrlQueryFilter", "The query filter is not supported.")
    return graph_time(moment(words[2]))


def _resolver(message: Message) -> Any:
    shown = message.as_json(immutable=True)

    def get(path: str) -> Any:
        if path.casefold() == "singlevalueextendedproperties":
            return [{"id": key, "value": value} for key, value in message.extended.items()]
        value: Any = shown
        for part in path.split("/"):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    return get


def _addressed(message: Message) -> list[str]:
    found = []
    for name in ("toRecipients", "ccRecipients", "bccRecipients"):
        found += [one["emailAddress"]["address"] for one in message.properties.get(name) or []]
    return found


def as_mime(message: Message) -> bytes:
    """Return a message as it would travel."""
    properties = message.properties
    sender = properties.get("from", {}).get("emailAddress", {}).get("address", "")
    lines = [
        f"Message-ID: {properties['internetMessageId']}",
        f"From: {sender}",
        f"To: {', '.join(_addressed(message))}",
        f"Subject: {properties['subject'] or ''}",
        "Content-Type: text/plain; charset=utf-8",
        "",
        to_text(properties["body"]["content"]),
    ]
    return "\r\n".join(lines).encode()
