"""`startsWith` and `endsWith`: a text begins or ends with a piece."""

from __future__ import annotations

from rules.operators.fields import FieldReader
from rules.operators.operator import TEXTS, Against, Operator, Run, compared, example_of


class StartsWith(Operator):
    """A text begins with the piece."""

    name = "startsWith"
    doc = "The text begins with this piece."
    kinds = TEXTS
    reach = "start"
    words = "starts with"
    near = ("endsWith",)
    samples = ("anna", "SVC-", "CONTOSO", "a", "@")
    cel = "{new}.startsWith({value})"
    example = example_of("new.emailaddress", "svc-", "SVC-mail@contoso.com", "a@b.de", name=name)

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure."""
        return compared(subject, against, str.startswith)


class EndsWith(Operator):
    """A text ends with the piece."""

    name = "endsWith"
    doc = "The text ends with this piece."
    kinds = TEXTS
    reach = "end"
    words = "ends with"
    near = ("startsWith",)
    samples = ("contoso.com", "COM", "CONTOSO", "a", "@")
    cel = "{new}.endsWith({value})"
    example = example_of(
        "new.emailaddress", "@contoso.com", "a@CONTOSO.com", "a@contoso.com.example", name=name
    )

    def compile(self, subject: FieldReader, old: FieldReader | None, against: Against) -> Run:
        """Return the closure."""
        return compared(subject, against, str.endswith)
