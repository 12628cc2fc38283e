"""docs/lint.md: every lint rule with its reasons, its mend, and an example of wrong and right."""

from __future__ import annotations

from console.reference.table import table
from rules.lint.remark import LintRule
from rules.lint.run import ALLOW
from rules.lint.table import LINT_RULES

_HEAD = f"""\
# Lint

`mailbox-guard policy lint [FOLDER]` looks for what loads and works, and is still likely to be a
mistake or a burden. It exits 1 when it finds an *error*, with `--warn-as-error` for a *warning*
too; an *info* asks for nothing. `--fix` mends what can be mended without changing any decision.

A comment `# {ALLOW} code and the reason` on the line, or on the line before, silences a rule there.

The examples show the keys that matter; a test executes them.

"""


def lint_page() -> str:
    """Return docs/lint.md."""
    rows = (
        (f"[`{each.code}`](#{each.code})", each.level, "yes" if each.is_fixable else "", each.doc)
        for each in LINT_RULES.values()
    )
    return (
        _HEAD
        + table(("rule", "level", "`--fix`", "finds"), rows)
        + "".join(_section(each) for each in LINT_RULES.values())
    )


def _section(each: LintRule) -> str:
    fix = " `--fix` does it where it is safe." if each.is_fixable else ""
    return (
        f"\n## {each.code}\n\n{each.doc}\n\n**Why.** {each.why}\n\n**Mend.** {each.mend}{fix}\n\n"
        f"```yaml\n# wrong\n{each.wrong}```\n\n```yaml\n# right\n{each.right}```\n"
    )
