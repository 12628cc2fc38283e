"""Charts are made of values alone, and no text in them is markup."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from console.web.chart import HEIGHT, WIDTH, Bar, Series, bars, ceiling, shares

SERIES = (Series("allow", "allowed"), Series("reject", "rejected"))
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
BARS = st.lists(
    st.builds(Bar, TEXT, st.tuples(st.integers(0, 10**9), st.integers(0, 10**9))), max_size=40
)


def rectangles(svg: str) -> list[tuple[float, float, float, float]]:
    found = ET.fromstring(svg).iter("rect")  # noqa: S314 - our own text.
    return [tuple(float(one.get(n, "")) for n in ("x", "y", "width", "height")) for one in found]  # type: ignore[misc]


@given(BARS, TEXT)
def test_bars_stay_within_the_picture_whatever_is_counted(found: list[Bar], title: str) -> None:
    for x, y, width, height in rectangles(str(bars(found, SERIES, title=title))):
        assert 0 <= x <= x + width <= WIDTH + 0.2
        # A count that would not be seen has a line of its own.
        assert -5 <= y <= y + height <= HEIGHT + 0.2


@given(BARS)
def test_shares_are_well_formed(found: list[Bar]) -> None:
    assert len(rectangles(str(shares(found, kind="fresh", title="Ages")))) == len(found)


@given(st.integers(0, 10**12))
def test_a_ceiling_is_round_even_and_not_below(most: int) -> None:
    top = ceiling(most)
    assert top >= most
    assert top % 2 == 0
    assert top <= max(2, most * 2)


def test_a_bar_is_as_high_as_its_count() -> None:
    found = [Bar("Mon", (10, 0)), Bar("Tue", (5, 5)), Bar("Wed", (0, 0))]
    heights = [height for *_, height in rectangles(str(bars(found, SERIES, title="t")))]
    assert heights[0] == 2 * heights[1] == 2 * heights[2]
    assert len(heights) == 3


def test_a_title_is_no_markup() -> None:
    svg = bars([Bar("<b>", (1, 1))], SERIES, title='"><script>alert(1)</script>')
    assert "<script" not in svg
    assert "<b>" not in svg
