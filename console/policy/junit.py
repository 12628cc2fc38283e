"""Test cases as JUnit XML: one suite a test file, one case a case, as CI servers read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from console.reports import path_of, xml_document, xml_text
from rules.syntax.complaint import Complaint
from rules.testing.run import CaseResult


def cases_junit(
    cases: Sequence[CaseResult],
    complaints: Sequence[Complaint],
    root: Path,
    *,
    details: Callable[[CaseResult], str],
    shortfalls: Sequence[str] = (),
) -> str:
    """Return the report; `details` words a failed case, `shortfalls` fail a suite of their own.

    Suites are named by their file below the policy folder; `file` is seen from where the command
    runs, which is where a build server looks for it.
    """
    whole = ElementTree.Element("testsuites", name="mailbox-guard policy test")
    by_file: dict[str, list[CaseResult]] = {}
    for case in cases:
        by_file.setdefault(case.file, []).append(case)
    for file, several in by_file.items():
        failed = sum(not case.passed for case in several)
        suite = _suite(whole, file, tests=len(several), failures=failed)
        for case in several:
            place = {"file": path_of(file, root), "line": str(case.line)}
            element = _case(suite, file, case.name, place)
            if not case.passed:
                failure = ElementTree.SubElement(
                    element, "failure", message=xml_text("; ".join(case.differences))
                )
                failure.text = xml_text(details(case))
    errors = [complaint for complaint in complaints if complaint.level == "error"]
    if errors:
        suite = _suite(whole, "test files", tests=len(errors), errors=len(errors))
        for one in errors:
            place = {"file": path_of(one.file, root), "line": str(one.line)}
            element = _case(suite, one.file, f"{one.code} in line {one.line}", place)
            ElementTree.SubElement(element, "error", message=xml_text(one.text))
    if shortfalls:
        suite = _suite(whole, "coverage", tests=len(shortfalls), failures=len(shortfalls))
        for text in shortfalls:
            element = _case(suite, "coverage", text, {})
            ElementTree.SubElement(element, "failure", message=xml_text(text))
    return xml_document(whole)


def _suite(
    whole: ElementTree.Element, name: str, *, tests: int, failures: int = 0, errors: int = 0
) -> ElementTree.Element:
    return ElementTree.SubElement(
        whole, "testsuite", name=xml_text(name), tests=str(tests), failures=str(failures),
        errors=str(errors),
    )  # fmt: skip


def _case(
    suite: ElementTree.Element, file: str, name: str, place: Mapping[str, str]
) -> ElementTree.Element:
    attributes = {key: xml_text(value) for key, value in place.items()}
    return ElementTree.SubElement(
        suite, "testcase", classname=xml_text(file), name=xml_text(name), attrib=attributes
    )
