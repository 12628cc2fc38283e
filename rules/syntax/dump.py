"""Plain values become YAML that reads back as the same values, in the YAML that is read here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import yaml

from rules.syntax.nodes import resolve


class _Writer(yaml.SafeDumper):
    """Writes texts in quotes where YAML 1.2 would take them for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out: a reader should not have to look elsewhere."""
        return True


def _text(writer: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if resolve(text) == text else '"'
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _moment(writer: yaml.SafeDumper, moment: datetime) -> yaml.ScalarNode:
    return _text(writer, moment.isoformat().replace("+00:00", "Z"))


_Writer.add_representer(str, _text)
_Writer.add_representer(datetime, _moment)


def yaml_text(value: Any) -> str:
    """Return the YAML of mappings, lists and scalars; keys keep their order."""
    return yaml.dump(
        value, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=100, indent=2
    )
