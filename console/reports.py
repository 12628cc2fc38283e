"""Complaints as other programs read them: JUnit XML, SARIF 2.1.0, GitHub annotations.

Whatever finds fault with the lines of files says so in complaints, and is rendered here. Files are
named from the directory in which the command runs, which is the root of the repository where these
formats are used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rules.syntax.complaint import Complaint

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

REPORT_FORMATS: Final = ("text", "json", "junit", "sarif", "github")
_SARIF: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_SARIF_LEVELS: Final = {"error": "error", "warning": "warning", "info": "note"}
_GITHUB_LEVELS: Final = {"error": "error", "warning": "warning", "info": "notice"}
# XML has no way to say most control characters, lone surrogates and two last ones.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def reports(
    complaints: Sequence[Complaint], root: Path, *, suite: str, docs: Mapping[str, str]
) -> dict[str, Callable[[], str]]:
    """Return what `emit` calls for each format beside text and JSON.

    `suite` is the verb that complains; `docs` says what each code means.
    """
    return {
        "junit": lambda: junit(complaints, root, suite=suite),
        "sarif": lambda: sarif(complaints, root, suite=suite, docs=docs),
        "github": lambda: github(complaints, root),
    }


def path_of(file: str, root: Path) -> str:
    """Return the path of a file of the folder, seen from the working directory if it is below."""
    path = root if file == str(root) else root / file
    try:
        return path.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except ValueError:
        return path.as_posix()


def sarif(
    complaints: Sequence[Complaint], root: Path, *, suite: str, docs: Mapping[str, str]
) -> str:
    """Return a SARIF log with one run; the codes that occur are its rules."""
    codes = sorted({complaint.code for complaint in complaints})
    rules = [
        {"id": code, "shortDescription": {"text": docs.get(code, f"See `{code}` in the docs.")}}
        for code in codes
    ]
    run = {
        "tool": {"driver": {"name": "mailbox-guard", "rules": rules}},
        # Logs of several verbs for one commit are kept apart by this.
        "automationDetails": {"id": f"{suite}/"},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(one, root, at=codes.index(one.code)) for one in complaints],
    }
    log = {"$schema": _SARIF, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False)


def _sarif_result(complaint: Complaint, root: Path, *, at: int) -> dict[str, Any]:
    region = {"startLine": complaint.line, "startColumn": complaint.column}
    location = {"uri": _uri(path_of(complaint.file, root))}
    return {
        "ruleId": complaint.code,
        "ruleIndex": at,
        "level": _SARIF_LEVELS[complaint.level],
        "message": {"text": _sentence(complaint)},
        "locations": [{"physicalLocation": {"artifactLocation": location, "region": region}}],
    }


def _uri(path: str) -> str:
    from urllib.parse import quote

    # What is outside of the working directory has no place in a repository; it is named whole.
    return Path(path).as_uri() if Path(path).is_absolute() else quote(path)


def junit(complaints: Iterable[Complaint], root: Path, *, suite: str) -> str:
    """Return JUnit XML: one case for each file that has an error, one for the folder as a whole."""
    from xml.etree.ElementTree import Element, SubElement

    by_file: dict[str, list[Complaint]] = {}
    for complaint in complaints:
        by_file.setdefault(path_of(complaint.file, root), []).append(complaint)
    failed = [
        file for file, several in by_file.items() if any(one.level == "error" for one in several)
    ]
    whole = Element("testsuites")
    body = SubElement(
        whole, "testsuite", name=suite, tests=str(len(by_file) + 1), failures=str(len(failed))
    )
    SubElement(body, "testcase", classname=suite, name=xml_text(root.as_posix()))
    for file, several in by_file.items():
        case = SubElement(body, "testcase", classname=suite, name=xml_text(file))
        for level in ("error", "warning", "info"):
            lines = [xml_text(str(one)) for one in several if one.level == level]
            if not lines:
                continue
            name = {"error": "failure"}.get(level, "system-out")
            told = SubElement(case, name, {"message": lines[0]} if level == "error" else {})
            told.text = "\n".join(lines)
    return xml_document(whole)


def xml_document(whole: Element) -> str:
    """Return the text of an XML document; it is written as UTF-8, whatever the locale is."""
    from xml.etree.ElementTree import indent, tostring

    indent(whole)
    text = tostring(whole, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}'


def xml_text(text: str) -> str:
    """Return a text with a sign in the place of each character that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)


def github(complaints: Iterable[Complaint], root: Path) -> str:
    """Return workflow commands that GitHub shows beside the lines of a pull request."""
    return "\n".join(
        f"::{_GITHUB_LEVELS[one.level]} file={_property(path_of(one.file, root))},line={one.line},"
        f"col={one.column},title={_property(one.code)}::{_data(_sentence(one))}"
        for one in complaints
    )


def _sentence(complaint: Complaint) -> str:
    return f"{complaint.text} {complaint.hint}" if complaint.hint else complaint.text


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
