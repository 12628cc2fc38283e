"""Mail through Graph: folders, messages, attachments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from sandbox.graph.asking import Answer, Ask, Served, serve
from sandbox.graph.delta import DEFAULT_PAGE, LARGEST_PAGE, selected
from sandbox.graph.mailboxes import Folder, Mailbox
from sandbox.graph.mailroom import READ, READ_CONTENT, WRITE, Mailroom
from sandbox.graph.messages import (
    Attachment,
    Message,
    addressed,
    apply_body,
    extended_shown,
    read_attachment,
    to_text,
)
from sandbox.graph.problems import Problem, no_such_item, unreadable_item
from sandbox.odata import QueryRefused, parse_expand, parse_filter, sort_key, split_outside


class Mail:
    """Handlers of mail."""

    def __init__(self, room: Mailroom) -> None:
        self._room = room

    def routes(self) -> list[Served]:
        """Return what is served here."""
        folders, messages = "/users/{user}/mailFolders", "/users/{user}/messages"
        folder, message = f"{folders}/{{folder}}", f"{messages}/{{message}}"
        return [
            serve("GET", folders, self._folders),
            serve("GET", f"{folders}/delta", self._folders_delta),
            serve("GET", folder, self._folder),
            serve("GET", f"{folder}/messages", self._list_folder),
            serve("POST", f"{folder}/messages", self._create),
            serve("GET", f"{folder}/messages/{{message}}", self._get),
            serve("GET", messages, self._list),
            serve("POST", messages, self._create),
            serve("GET", message, self._get),
            serve("PATCH", message, self._update),
            serve("DELETE", message, self._delete),
            serve("GET", f"{message}/$value", self._mime),
            serve("POST", f"{message}/move", self._move),
            serve("GET", f"{message}/attachments", self._attachments),
            serve("POST", f"{message}/attachments", self._attach),
            serve("GET", f"{message}/attachments/{{attachment}}", self._attachment),
            serve("GET", f"{message}/attachments/{{attachment}}/$value", self._attachment_bytes),
        ]

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
        mailbox = self._room.mailbox(ask, READ)
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
        mailbox = self._room.mailbox(ask, READ)
        folder = self._room.folder(ask, mailbox)
        body = selected(self._folder_json(mailbox, folder), ask.options.get("$select", ""))
        context = f"{ask.base}/$metadata#users('{mailbox.object_id}')/mailFolders/$entity"
        return Answer({"@odata.context": context, **body})

    def _folders_delta(self, ask: Ask) -> Answer:
        """Tell all folders in the first round and nothing afterwards: the set never changes."""
        mailbox = self._room.mailbox(ask, READ)
        known = ask.options.get("$deltatoken")
        shown = [] if known else [self._folder_json(mailbox, f) for f in mailbox.folders.values()]
        link = f"{ask.base}/users('{mailbox.object_id}')/mailFolders/delta?$deltatoken=folders"
        context = f"{ask.base}/$metadata#Collection(mailFolder)"
        return Answer({"@odata.context": context, "@odata.deltaLink": link, "value": shown})

    def _list_folder(self, ask: Ask) -> Answer:
        mailbox = self._room.mailbox(ask, READ)
        folder = self._room.folder(ask, mailbox)
        return self._messages(ask, mailbox, mailbox.in_folder(folder.id))

    def _list(self, ask: Ask) -> Answer:
        mailbox = self._room.mailbox(ask, READ)
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
        expansions = parse_expand(ask.options.get("$expand", ""))
        if any(one.name.casefold() == "attachments" for one in expansions):
            body["attachments"] = [one.as_json() for one in message.attachments]
        body |= extended_shown(message, expansions)
        context = f"{ask.base}/$metadata#users('{mailbox.object_id}')/messages/$entity"
        headers = {}
        if status == 201:
            shown_id = quote(str(body["id"]))
            headers["Location"] = f"{ask.base}/users('{mailbox.object_id}')/messages('{shown_id}')"
        return Answer({"@odata.context": context, **body}, status, headers=headers)

    def _get(self, ask: Ask) -> Answer:
        mailbox = self._room.mailbox(ask, READ)
        message = self._room.message(ask, mailbox)
        if "folder" in ask.variables:
            folder = self._room.folder(ask, mailbox)
            if message.folder_id != folder.id:
                raise no_such_item()
        if message.immutable_id in self._room.faults_of(mailbox.object_id).unreadable:
            raise unreadable_item()
        return self._one(ask, mailbox, message)

    def _create(self, ask: Ask) -> Answer:
        mailbox = self._room.mailbox(ask, WRITE)
        key = ask.variables.get("folder", "drafts")
        folder = self._room.folder(ask, mailbox, key)
        message = self._room.exchange.new_message(mailbox, folder.id, ask.fields(), now=ask.now)
        message.properties["isRead"] = True
        for one in ask.fields().get("attachments") or []:
            message.attachments.append(read_attachment(one, ask.now))
        mailbox.add(message)
        return self._one(ask, mailbox, message, status=201)

    def _update(self, ask: Ask) -> Answer:
        mailbox = self._room.mailbox(ask, WRITE)
        message = self._room.message(ask, mailbox)
        apply_body(message, ask.fields())
        mailbox.changed(message, ask.now)
        return self._one(ask, mailbox, message)

    def _delete(self, ask: Ask) -> Answer:
        mailbox = self._room.mailbox(ask, WRITE)
        message = self._room.message(ask, mailbox)
        mailbox.delete(message)
        return Answer(status=204)

    def _move(self, ask: Ask) -> Answer:
        mailbox = self._room.mailbox(ask, WRITE)
        message = self._room.message(ask, mailbox)
        target = self._room.folder(ask, mailbox, str(ask.parameter("destinationId")))
        moved = mailbox.move(message, target.id, ask.now)
        return self._one(ask, mailbox, moved, status=201)

    def _mime(self, ask: Ask) -> Answer:
        message = self._room.message(ask, self._room.mailbox(ask, READ_CONTENT))
        return Answer(content=as_mime(message), content_type="text/plain")

    def _attachments(self, ask: Ask) -> Answer:
        mailbox = self._room.mailbox(ask, READ_CONTENT)
        message = self._room.message(ask, mailbox)
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
        message = self._room.message(ask, self._room.mailbox(ask, READ_CONTENT))
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
        mailbox = self._room.mailbox(ask, WRITE)
        message = self._room.message(ask, mailbox)
        added = read_attachment(ask.fields(), ask.now)
        message.attachments.append(added)
        mailbox.changed(message, ask.now)
        context = f"{ask.base}/$metadata#attachments/$entity"
        return Answer({"@odata.context": context, **added.as_json()}, 201)


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


def as_mime(message: Message) -> bytes:
    """Return a message as it would travel."""
    properties = message.properties
    sender = properties.get("from", {}).get("emailAddress", {}).get("address", "")
    lines = [
        f"Message-ID: {properties['internetMessageId']}",
        f"From: {sender}",
        f"To: {', '.join(addressed(message))}",
        f"Subject: {properties['subject'] or ''}",
        "Content-Type: text/plain; charset=utf-8",
        "",
        to_text(properties["body"]["content"]),
    ]
    return "\r\n".join(lines).encode()
