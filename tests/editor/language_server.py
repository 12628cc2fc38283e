"""yaml-language-server as an editor drives it: over standard input and output."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 60


class LanguageServer:
    """One server with one open folder."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._ids = 0
        self._incoming: queue.Queue[dict[str, Any]] = queue.Queue()
        self._diagnostics: dict[str, list[dict[str, Any]]] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def start(self) -> None:
        """Say hello as an editor does that shows documentation and completes as one types."""
        completion = {"completionItem": {"documentationFormat": ["markdown"]}}
        document = {"completion": completion, "hover": {"contentFormat": ["markdown"]}}
        self.ask(
            "initialize",
            {
                "processId": None, "rootUri": self._folder.as_uri(),
                "capabilities": {"textDocument": document, "workspace": {"configuration": True}},
            },
        )  # fmt: skip
        self.tell("initialized", {})
        settings = {"validate": True, "completion": True, "hover": True}
        self.tell("workspace/didChangeConfiguration", {"settings": {"yaml": settings}})

    def open(self, name: str, text: str) -> str:
        """Open a file with this text and return its address."""
        uri = (self._folder / name).as_uri()
        item = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": item})
        return uri

    def completions(self, uri: str, line: int, character: int) -> dict[str, str]:
        """Return what is offered at a place, with its documentation."""
        found = self.ask("textDocument/completion", _at(uri, line, character))
        return {item["label"]: _words(item.get("documentation")) for item in found["items"]}

    def hover(self, uri: str, line: int, character: int) -> str:
        """Return what is shown of the word at a place."""
        found = self.ask("textDocument/hover", _at(uri, line, character))
        return _words(found["contents"]) if found else ""

    def marks(self, uri: str) -> list[tuple[int, str]]:
        """Return the line and the text of every mark in a file, once the server has looked."""
        while uri not in self._diagnostics:
            self._handle(self._incoming.get(timeout=PATIENCE_SECONDS))
        found = self._diagnostics[uri]
        return [(one["range"]["start"]["line"], one["message"]) for one in found]

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        """Return the answer to a request; whatever comes before it is dealt with."""
        self._ids += 1
        self._send({"id": self._ids, "method": method, "params": params})
        while True:
            message = self._incoming.get(timeout=PATIENCE_SECONDS)
            if message.get("id") == self._ids and "method" not in message:
                assert "error" not in message, message
                return message["result"]
            self._handle(message)

    def tell(self, method: str, params: dict[str, Any]) -> None:
        """Send what has no answer."""
        self._send({"method": method, "params": params})

    def _handle(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params") or {}
        if method == "textDocument/publishDiagnostics":
            self._diagnostics[params["uri"]] = params["diagnostics"]
        elif "id" in message and method is not None:
            # What the server asks of the editor: settings, capabilities. It has none to give.
            items = params.get("items", ()) if isinstance(params, dict) else ()
            settings = {"validate": True, "completion": True, "hover": True}
            answers = [settings if one.get("section") == "yaml" else None for one in items]
            is_asked = method == "workspace/configuration"
            self._send({"id": message["id"], "result": answers if is_asked else None})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while head := stream.readline():
            length = 0
            while head.strip():
                name, _, value = head.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
                head = stream.readline()
            self._incoming.put(json.loads(stream.read(length)))


@contextmanager
def language_server(program: Path, folder: Path) -> Iterator[LanguageServer]:
    """Run the server on a folder."""
    process = subprocess.Popen(
        [str(program), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        server = LanguageServer(process, folder)
        server.start()
        yield server
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def _at(uri: str, line: int, character: int) -> dict[str, Any]:
    return {
        "textDocument": {"uri": uri}, "position": {"line": line, "character": character},
    }  # fmt: skip


def _words(said: Any) -> str:
    if isinstance(said, dict):
        return str(said.get("value", ""))
    return str(said or "")
