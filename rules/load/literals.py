"""Literals that an author writes and that can never be what the field holds.

A condition with such a value loads, passes the tests that its author thinks of, and decides
nothing: `*.fabrikam.com` is no pattern, a domain has no @, an address has no blank at its end. Each
is found before anything is decided, and told with the form that was meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from rules.load.keys import Complaints
from rules.load.scope import Scope
from rules.model.catalogue import FieldReference, Form, Kind
from rules.operators.operator import Operator, Reach
from rules.syntax.complaint import Level
from rules.syntax.nodes import ListNode, MapNode, Node, ScalarNode

_TEXTS: Final = frozenset({Kind.STRING, Kind.LIST, Kind.LOOKUP})
# Those that word processors put in the place of straight ones.
_QUOTES: Final = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb\u2039\u203a"
_TWO_WAYS: Final = frozenset({"no", "yes", "on", "off", "y", "n"})
# What no address holds outside quotes, which Exchange does not allow either.
_FOREIGN: Final = re.compile(r"[\s,;:<>()\[\]\"\\]")
# Signs that nobody sees and that texts bring along from web pages and chats: a soft hyphen, blanks
# without a width, marks of direction.
_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
_IN_LIST: Final = "Write it whole, as the list has it."
_WILD: Final = re.compile(r"[*?]")
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DIGITS: Final = re.compile(r"[0-9a-fA-F]{32}")
_PLACEHOLDER: Final = re.compile(r"\[[^\]]*\]|\\.")


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a literal is no good, by its code, in words, with the form that was meant.

    `is_of_texts` says that the mend is another condition, such as a text alone can have.
    """

    code: str
    text: str
    hint: str | None = None
    level: Level = "error"
    is_of_texts: bool = False


def check_literals(
    operator: Operator, node: Node, reference: FieldReference, part: str | None, scope: Scope
) -> bool:
    """Complain of every literal behind an operator that cannot be meant; return whether none is."""
    if reference.field.kind not in _TEXTS or part == "length" or operator.takes == "flag":
        return True
    form = _form(reference, part)
    reach = "whole" if reference.field.kind is Kind.LIST else operator.reach
    told = False
    for place, text, complaints in _literals(node, scope):
        objection = objection_to(text, form=form, reach=reach)
        if objection is not None and objection.is_of_texts and reference.field.kind is Kind.LIST:
            objection = replace(objection, hint=_IN_LIST)
        if objection is None and isinstance(place, ScalarNode) and place.text == text:
            objection = plain_objection(place, reach)
        if objection is not None:
            said = objection.text
            # A list may be right for one condition and wrong for another: which one is told.
            if (
                complaints is not scope.complaints
                and objection_to(text, form=None, reach=reach) is None
            ):
                said += f" It is compared in {scope.complaints.file}:{node.line}."
            complaints.add(place, objection.code, said, hint=objection.hint, level=objection.level)
            told |= objection.level == "error"
    return not told


def _form(reference: FieldReference, part: str | None) -> Form | None:
    if part is not None:
        return Form.DOMAIN if part == "domain" else Form.LOCAL
    return reference.field.form


def _literals(node: Node, scope: Scope) -> Iterator[tuple[Node, str, Complaints]]:
    """Yield every literal text with its place: items of a named list stand in their own file."""
    own = scope.complaints
    if isinstance(node, MapNode):
        for source, name in node.entries.items():
            text = name.text if isinstance(name, ScalarNode) else ""
            if source == "list" and text in scope.lists:
                named = scope.lists[text]
                for item in named.nodes:
                    yield item, item.text, Complaints(named.file, own.found)
            elif source == "param" and text in scope.params:
                value = scope.params[text]
                for each in value if isinstance(value, list | tuple) else (value,):
                    if isinstance(each, str):
                        yield name, each, own
        return
    written: list[Node] = node.items if isinstance(node, ListNode) else [node]
    for one in written:
        if isinstance(one, ScalarNode) and isinstance(one.content, str):
            yield one, one.content, own


def plain_objection(node: ScalarNode, reach: Reach = "whole") -> Objection | None:
    """Return what is wrong with a text as it is written, whatever it is compared with."""
    text = node.text
    if node.is_plain and text.lower() in _TWO_WAYS:
        return Objection(
            "word-unquoted", f"`{text}` is a text here, and true or false to other readers.",
            f'Write "{text}" in quotes if the text is meant.',
        )  # fmt: skip
    return _typing_objection(text, reach)


def objection_to(text: str, *, form: Form | None, reach: Reach) -> Objection | None:
    """Return why a field of that form can never hold the text; None when it can.

    `reach` says how much of the field the text stands for: the whole, its start, its end, a piece,
    or a pattern for the whole.
    """
    if reach == "pattern":
        return _pattern_objection(text, form)
    typed = _typing_objection(text, reach)
    if typed is not None or form is None:
        return typed
    if reach == "piece" and not any(map(str.isalnum, text)):
        # A rule may well look for a sign that no honest address has.
        return None
    unseen = _unseen_objection(text, text)
    if unseen is not None:
        return unseen
    if form is Form.ID:
        return _id_objection(text, reach)
    wild = _WILD.search(text)
    if wild is not None:
        bare = text.strip("*?").lstrip("@") if form is Form.DOMAIN else text.strip("*?")
        return Objection(
            "value-impossible",
            f"`{text[:80]}` holds `{wild[0]}`, which stands for itself and is in no {form.words}.",
            f"Write `endsWith: {_written(bare)}`." if bare and bare != text else "Use `matches`.",
            is_of_texts=True,
        )
    foreign = _FOREIGN.search(text)
    if foreign is not None:
        sign = "a blank" if foreign[0].isspace() else f"`{foreign[0]}`"
        inner = re.search(r"<([^<>]+)>", text)
        return Objection(
            "value-impossible", f"`{text[:80]}` holds {sign}, which no {form.words} does.",
            f"Write `{inner[1]}`." if inner else f"Write the {form.words} alone.",
        )  # fmt: skip
    return _OF_FORM[form](text, reach)


def _written(text: str) -> str:
    """Return a text as YAML takes it: no plain one begins with an @."""
    return f'"{text}"' if text.startswith("@") else text


def _typing_objection(text: str, reach: Reach) -> Objection | None:
    # An empty text is in any other: it is no quote, and is judged where it is compared.
    if text and (text[0] in _QUOTES or text[-1] in _QUOTES):
        bare = text.strip(_QUOTES)
        return Objection(
            "quotes-typographic",
            f"`{text[:80]}` is in typographic quotes, which are part of the text here.",
            f'Write "{bare}".',
        )
    ends = (
        text[:1] if reach in ("whole", "start") else "",
        text[-1:] if reach in ("whole", "end") else "",
    )
    unseen = _unseen_objection(text, "".join(ends))
    if unseen is not None:
        return unseen
    at_start = reach in ("whole", "start") and text != text.lstrip()
    at_end = reach in ("whole", "end") and text != text.rstrip()
    if at_start or at_end:
        return Objection(
            "value-impossible",
            f"`{text[:80]}` has a blank at its {'start' if at_start else 'end'}: "
            "no stored text has one.",
            f'Write "{text.strip()}".',
        )
    return None


def _unseen_objection(text: str, looked_at: str) -> Objection | None:
    unseen = _UNSEEN.search(looked_at)
    if unseen is None:
        return None
    bare = _UNSEEN.sub("", text).strip()
    return Objection(
        "value-impossible",
        f"`{bare[:80]}` holds a sign that nobody sees (U+{ord(unseen[0]):04X}, character "
        f"{text.index(unseen[0]) + 1}).",
        f'Type "{bare}" anew.',
    )


def _address_objection(text: str, reach: Reach) -> Objection | None:
    if reach == "whole" and "@" not in text:
        if _GUID.fullmatch(text):
            return Objection(
                "value-impossible", f"`{text}` is an object id, which no address is.",
                "Compare `names` of `owner`, `actor` or `addressOwner`: a list of persons "
                "names them by either.",
            )  # fmt: skip
        said = f"`{text[:80]}` is no whole address: it has no @."
        if "." in text:
            hint = "Add `part: domain` to compare the domain."
            return Objection("value-impossible", said, hint, is_of_texts=True)
        hint = "Add `part: local` to compare what stands before the @."
        # Before an organisation has any, people write a word to begin with.
        return Objection("value-impossible", said, hint, "warning", is_of_texts=True)
    local, _, domain = text.rpartition("@")
    if (reach == "whole" and not (local and domain)) or (reach == "start" and text[:1] == "@"):
        bare = text.strip("@")
        return Objection(
            "value-impossible", f"`{text[:80]}` lacks what stands before or after the @.",
            f'Write `endsWith: "@{bare}"`, or `part: domain` with `{bare}`.',
            is_of_texts=True,
        )  # fmt: skip
    if reach == "end" and text.endswith("@"):
        return Objection(
            "value-impossible", f"No address ends with `{text[:80]}`.", "Use `part: local`."
        )
    return None


def _domain_objection(text: str, reach: Reach) -> Objection | None:
    if "@" in text:
        return Objection(
            "value-impossible", f"`{text[:80]}` holds an @, which no domain does.",
            f"Write `{text.rpartition('@')[2]}`.",
        )  # fmt: skip
    if "/" in text:
        return Objection(
            "value-impossible", f"`{text[:80]}` is no domain but a link.",
            "Write the domain alone, such as contoso.com.",
        )  # fmt: skip
    starts, ends = reach in ("whole", "start"), reach in ("whole", "end")
    if (starts and text.startswith(".")) or (ends and text.endswith(".")):
        return Objection(
            "value-impossible", f"`{text[:80]}` has a dot at an end, which no domain has.",
            f"Write `endsWith: {_written(text.rstrip('.'))}` for the domains below it, "
            f"or `{text.strip('.')}` for this one.", is_of_texts=True,
        )  # fmt: skip
    if reach == "whole" and "." not in text:
        return Objection(
            "value-impossible", f"`{text[:80]}` is no whole domain: it has no dot.",
            f"Write it whole, such as {text}.com.", "warning",
        )  # fmt: skip
    return None


def _local_objection(text: str, reach: Reach) -> Objection | None:
    if "@" in text:
        return Objection(
            "value-impossible", f"`{text[:80]}` holds an @, which nothing before the @ does.",
            "Remove `part: local` to compare the whole address, "
            f"or write `{text.partition('@')[0]}`.",
        )  # fmt: skip
    return None


def _person_objection(text: str, reach: Reach) -> Objection | None:
    if "@" in text:
        return _address_objection(text, reach)
    if reach == "whole" and not _GUID.fullmatch(text):
        return Objection(
            "value-impossible", f"`{text[:80]}` names nobody: it is no object id and no address.",
            "Write the object id in Entra, or any whole address of the person.",
        )  # fmt: skip
    return None


def _id_objection(text: str, reach: Reach) -> Objection | None:
    if reach != "whole" or _GUID.fullmatch(text):
        return None
    digits = re.sub(r"[{}()-]", "", text)
    if _DIGITS.fullmatch(digits):
        parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        return Objection(
            "value-impossible", f"`{text[:80]}` is an id in another form than is stored.",
            f"Write `{'-'.join(parts).lower()}`.",
        )  # fmt: skip
    if "@" in text:
        return Objection(
            "value-impossible", f"`{text[:80]}` is an address and no id.",
            "Compare `names`, which has addresses too, or write the object id.",
        )  # fmt: skip
    return Objection(
        "value-impossible", f"`{text[:80]}` is a name and no id.",
        "Write the id, such as 627090ff-40a3-4053-8790-584edc5be201.",
        # A name is certain by its blanks; a single word may be an id of something that is no row.
        level="error" if re.search(r"\s", text) else "warning",
    )  # fmt: skip


_OF_FORM: Final = {
    Form.PERSON: _person_objection,
    Form.ADDRESS: _address_objection,
    Form.DOMAIN: _domain_objection,
    Form.LOCAL: _local_objection,
}


def _pattern_objection(text: str, form: Form | None) -> Objection | None:
    """Return why a pattern cannot match: only what is certain of it without trying it out."""
    if text != text.strip():
        return Objection(
            "value-impossible", f"`{text[:80]}` asks for a blank at an end.",
            f'Write "{text.strip()}".',
        )  # fmt: skip
    outside = _PLACEHOLDER.sub("", text)
    if form in (Form.DOMAIN, Form.LOCAL) and re.search(r"@(?![?*{|])", outside) and "|" not in text:
        return Objection(
            "value-impossible", f"`{text[:80]}` asks for an @, which no {form.words} has.",
            "Remove `part`, or the @.",
        )  # fmt: skip
    return None
