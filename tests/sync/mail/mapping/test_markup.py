"""HTML that would take the cleaner minutes is kept as text; all other is cleaned as it is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.mail.mapping.description import description_of
from sync.mail.mapping.markup import MOST_OPEN, MOST_TAGS, is_tame, text_of

# Of processor time, on a machine that is busy with other things.
SECONDS = 20.0
END = "<![endif]-->"
SHAPES = {
    "blocks": "<div>" * 200_000,
    "inline": "<span>" * 200_000,
    "tables": "<table><tr><td>" * 50_000,
    "before a table": "<table>" + "<b></b>" * 200_000,
    "attributes": "<a " + " ".join(f"a{number}=1" for number in range(150_000)) + ">x",
    "formatting": "".join(f"<b class=c{number}>" for number in range(100_000)) + "<p>x" * 9_000,
    "formatting in blocks": "".join(f"<div><b class=c{number}></div>" for number in range(400))
    + "<p>x</p>" * 40_000,
    "foreign": "<svg>" + "<td>" * 100_000,
    "ruby": "<rt>" * 200_000,
    "out of scope": "<div><object></div>" * 50_000,
    "closed in a comment": "<div><!--</div>-->" * 50_000,
    "closed in an attribute": '<div><i title="</div>">' * 50_000,
    "closed in a script": "<div><script><!--<script></script></div></script>" * 20_000,
    "styled in a select": "<select><style></select>" + "<div>" * 100_000 + "</style>",
    "a comment in a style": "<style><!--</style>" + "<div>" * 100_000 + "-->",
    "an equals sign first": '<a ="><div>' * 50_000,
    "misnested": "<b><p></b>" * 90_000,
    "references": "&" * 1_000_000,
    "angles": "<" * 1_000_000,
    "comments": "x<!>" * 400_000,
    "ends": "x</q>" * 300_000,
    "never ended": "<a b='" * 200_000,
}


def clean(content: str) -> str:
    found, _ = description_of({"body": {"contentType": "html", "content": content}})
    assert found is not None
    return found


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_takes_long_or_grows_beyond_measure(shape: str) -> None:
    content = "<p>said before</p>" + SHAPES[shape]
    began = time.process_time()
    cleaned = clean(content)
    assert time.process_time() - began < SECONDS
    assert "said before" in cleaned
    assert len(cleaned) <= 12 * len(content)


@pytest.mark.parametrize(
    "content",
    [
        "<div>" * 300 + "deep" + "</div>" * 300,
        "<ul>" + "<li>one<li>two" * 5_000 + "</ul>",
        "<table>" + "<tr><td><b>x</b></td><td>y</td></tr>" * 4_000 + "</table>",
        '<p class="MsoNormal"><span><o:p>&nbsp;</o:p></span></p>' * 4_000,
        f"<!--[if mso]><table><tr><td>{END}<p>x</p><!--[if mso]></td></tr></table>{END}" * 2_000,
        "<style>td > p { color: red } /* <div> */</style>" + "<p>x</p>" * 2_000,
    ],
    ids=["deep", "lists", "rows", "outlook", "conditional", "styled"],
)
def test_what_programs_write_is_cleaned_and_not_flattened(content: str) -> None:
    assert is_tame(content)
    assert clean("<p>a <b>bold</b> word</p>" + content).startswith("<p>a <b>bold</b> word</p>")


def test_the_bounds_are_exact() -> None:
    assert is_tame("<div>" * MOST_OPEN)
    assert not is_tame("<div>" * (MOST_OPEN + 1))
    assert is_tame("<br>" * MOST_TAGS)
    assert not is_tame("<br>" * (MOST_TAGS + 1))


def test_what_is_kept_as_text_is_escaped_and_keeps_its_lines() -> None:
    content = (
        "<style>p { color: red }</style><script>alert(1)</script><!-- no --><p>1 &lt; 2</p>"
        "<div title='</div>'>next &amp; last&#11;</div>" + "<i>" * 1_000 + "end"
    )
    assert clean(content) == "1 &lt; 2<br>next &amp; last<br>end"


@given(st.text(st.sampled_from("<>/!-=\"' \nabp&;#xdivscriptyle")))
def test_every_text_is_read_to_its_end(content: str) -> None:
    assert isinstance(is_tame(content), bool)
    assert "\n\n" not in text_of(content)
    assert "<script" not in clean(content)
