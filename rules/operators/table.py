"""The one table of operators: everything that may stand beside `field` in a condition.

An operator is one class in a file of `rules.operators.builtin` and one entry here; what must be
known of it, it says itself. How to add one stands in docs/adding-an-operator.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rules.operators.builtin.affixes import EndsWith, StartsWith
from rules.operators.builtin.becomes import Becomes
from rules.operators.builtin.changed import Changed
from rules.operators.builtin.contains import Contains, NotContains
from rules.operators.builtin.equals import Equals, NotEquals
from rules.operators.builtin.exists import Exists
from rules.operators.builtin.matches import Matches
from rules.operators.builtin.membership import In, NotIn
from rules.operators.builtin.order import Greater, GreaterOrEquals, Less, LessOrEquals
from rules.operators.builtin.overlap import ContainsAny, ContainsNone
from rules.operators.builtin.resembles import Resembles
from rules.operators.operator import Operator

OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        each.name: each
        for each in (
            Equals(), NotEquals(), In(), NotIn(), Contains(), NotContains(), ContainsAny(),
            ContainsNone(), StartsWith(), EndsWith(), Matches(), Resembles(), Exists(), Becomes(),
            Changed(), Greater(), GreaterOrEquals(), Less(), LessOrEquals(),
        )
    }
)  # fmt: skip
"""Every operator by name, in the order in which people read them."""
