"""Every setting that a text names is one."""

from __future__ import annotations

import re
from dataclasses import fields

from kernel.settings import PREFIX, Settings
from tests.console.test_named_commands import _places

_NAMED = re.compile(rf"\b{PREFIX}([A-Z][A-Z_]*)")


def test_every_setting_that_a_text_names_exists() -> None:
    known = {one.name.upper() for one in fields(Settings)}
    named = {
        (name, setting)
        for name, path in _places()
        for setting in _NAMED.findall(path.read_text("utf-8"))
    }
    assert len(named) > 60
    assert sorted(one for one in named if one[1] not in known) == []
