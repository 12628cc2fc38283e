"""Test cases as JUnit XML: one suite a test file, one case a case, as CI servers read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.etree import ElementTree

from console.reports import xml_text
from rules.complaint import Complaint
from rules.rehearse import CaseResult


def cases_junit(
    cases: Sequence[CaseResult],
    complaints: Sequence[Complaint],
    *,
    details: Callable[[CaseResult], str],
    shortfalls: Sequence[str] = (),
) -> str:
    """Return the report; `details` words a failed case, `shortfalls` fail a suite of their own."""
    root = ElementTree.Element("testsuites", name="mailbox-guard policy test")
    by_file: dict[str, list[CaseResult]] = {}
    for case in cases:
        by_file.setdefault(case.file, []).append(case)
    for file, several in by_file.items():
        failed = sum(not case.passed for case in several)
        suite = _suite(root, file, tests=len(several), failures=failed)
        for case in several:
            element = _case(suite, file, case.name, line=case.line)
            if not case.passed:
                failure = ElementTree.SubElement(
                    element, "failure", message=xml_text("; ".join(case.differences))
                )
                failure.text = xml_text(details(case))
    errors = [complaint for complaint in complaints if complaint.level == "error"]
    if errors:
        suite = _suite(root, "test files", tests=len(errors), errors=len(errors))
        for one in errors:
            element = _case(suite, one.file, f"{one.code} in line {one.line}", line=one.line)
            ElementTree.SubElement(element, "error", message=xml_text(one.text))
    if shortfalls:
        suite = _suite(root, "coverage", tests=len(shortfalls), failures=len(shortfalls))
        for text in shortfalls:
            element = _case(suite, "coverage", text, line=None)
            ElementTree.SubElement(element, "failure", message=xml_text(text))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def _suite(
    root: ElementTree.Element, name: str, *, tests: int, failures: int = 0, errors: int = 0
) -> ElementTree.Element:
    return ElementTree.SubElement(
        root, "testsuite", name=xml_text(name), tests=str(tests), failures=str(failures),
        errors=str(errors),
    )  # fmt: skip


def _case(
    suite: ElementTree.Element, file: str, name: str, *, line: int | None
) -> ElementTree.Element:
    place = {} if line is None else {"file": xml_text(file), "line": str(line)}
    return ElementTree.SubElement(
        suite, "testcase", classname=xml_text(file), name=xml_text(name), attrib=place
    )
