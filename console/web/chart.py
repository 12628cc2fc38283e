"""Charts as SVG, made of values alone; colours are classes, so that dark is another style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH = 380
HEIGHT = 190
_LEFT = 34
_BOTTOM = 24
_TOP = 10
_GAP = 0.28
_LEAST = 1.5
_ROUND = 2


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of thing that is counted: the class that colours it, and what it is called."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, and how many of each series there are, in their order."""

    label: str
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Return how many there are together."""
        return sum(self.counts)


def bars(found: Sequence[Bar], series: Sequence[Series], *, title: str) -> Markup:
    """Return the bars beside each other, the series of each above each other."""
    top = ceiling(max((one.total for one in found), default=0))
    height = HEIGHT - _TOP - _BOTTOM
    step = (WIDTH - _LEFT) / max(len(found), 1)
    parts = [_axis(HEIGHT - _BOTTOM, 0), _axis(_TOP + height / 2, top / 2), _axis(_TOP, top)]
    every = max(1, -(-len(found) // 5))
    for number, one in enumerate(found):
        left, width = _LEFT + number * step + step * _GAP / 2, step * (1 - _GAP)
        foot = float(HEIGHT - _BOTTOM)
        inside = []
        for count, its in zip(one.counts, series, strict=True):
            if count:
                size = max(height * count / top, _LEAST)
                foot -= size
                inside.append(_rect(left, foot, width, size, its.kind))
        if (len(found) - 1 - number) % every == 0:
            is_last = number == len(found) - 1
            at, anchor = (left + width, "end") if is_last else (left + width / 2, "middle")
            inside.append(_text(at, HEIGHT - 6, one.label, anchor=anchor))
        parts.append(f"<g><title>{escape(_told(one, series))}</title>{''.join(inside)}</g>")
    return _svg(parts, title)


def ceiling(most: int) -> int:
    """Return the least round number that is even and not below; at least 2."""
    size = 1
    while True:
        for top in (size * step for step in (2, 3, 4, 6, 8, 10)):
            if top >= most and top % 2 == 0:
                return top
        size *= 10


def shares(found: Sequence[Bar], *, kind: str, title: str) -> Markup:
    """Return lines below each other, each as long as its share of all."""
    total = max(sum(one.total for one in found), 1)
    line, label = 30, 120
    room = WIDTH - label - 60
    parts = []
    for number, one in enumerate(found):
        top = number * line
        size = max(room * one.total / total, _LEAST if one.total else 0)
        parts.append(_text(0, top + 19, one.label))
        parts.append(_rect(label, top + 6, size, 18, kind))
        parts.append(_text(label + size + 8, top + 19, f"{one.total:,}"))
    return _svg(parts, title, height=max(len(found), 1) * line)


def _told(one: Bar, series: Sequence[Series]) -> str:
    told = [f"{c:,} {its.name}" for c, its in zip(one.counts, series, strict=True) if c]
    return f"{one.label}: {', '.join(told) or 'none'}"


def _svg(parts: Sequence[str], title: str, *, height: int = HEIGHT) -> Markup:
    return Markup(  # noqa: S704 - every text in it was escaped where it was put in.
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def _axis(y: float, value: float) -> str:
    line = f'<line class="axis" x1="{_LEFT}" x2="{WIDTH}" y1="{y:g}" y2="{y:g}"/>'
    return line + _text(_LEFT - 6, y + 4, f"{value:,.0f}", anchor="end")


def _rect(x: float, y: float, width: float, height: float, kind: str) -> str:
    return (
        f'<rect class="{escape(kind)}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="{_ROUND}"/>'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
