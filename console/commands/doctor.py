"""`mailbox-guard doctor`: what is wrong with this installation, what it means, and the mend."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from console.context import settings_of
from console.output import Output, counted, emit, output_option, table
from kernel.settings import Settings

if TYPE_CHECKING:
    from console.doctor.diagnosis import Diagnosis
    from console.doctor.examination import Report


@click.command(help="Find what is wrong, and how to mend it.")
@click.option(
    "--url",
    "webhook_url",
    default="",
    metavar="URL",
    help="Where Dataverse is to deliver; else what the registered endpoint says.",
)
@click.option(
    "--all",
    "shows_all",
    is_flag=True,
    help="Show also what is well or a mere note.",
)
@output_option()
@click.pass_context
def doctor(ctx: click.Context, webhook_url: str, shows_all: bool, outputs: Sequence[Output]) -> int:
    """Exit 0 when nothing need be done, 1 when something is wrong, weak or not known."""
    report = asyncio.run(_examined(settings_of(ctx), webhook_url))
    emit(outputs, report.listed(), text=lambda: _text(report, shows_all=shows_all))
    return 0 if report.is_clean else 1


async def _examined(settings: Settings, webhook_url: str) -> Report:
    from console.doctor.examination import examine
    from console.doctor.opening import opened
    from kernel.clock import SystemClock

    async with opened(settings, SystemClock(), webhook_url=webhook_url) as house:
        return await examine(house)


def _text(report: Report, *, shows_all: bool) -> str:
    shown = [_paragraph(one) for one in report.diagnoses if shows_all or not one.is_clean]
    lines = [
        (
            one.identity,
            one.permission,
            "yes" if one.is_held else "no",
            "yes" if one.is_needed else "no",
            one.why,
            one.reaches,
            one.without,
        )
        for one in report.access
    ]
    heads = ("identity", "permission", "held", "needed", "why", "reaches", "without it")
    told = ", ".join(f"{count} {name}" for name, count in report.counts.items() if count)
    parts = [*shown]
    if lines:
        parts.append(table(heads, lines, title="Access to Microsoft Graph"))
    parts.append(f"{counted(len(report.diagnoses), 'answer')}: {told or 'none'}.")
    return "\n\n".join(parts)


def _paragraph(one: Diagnosis) -> str:
    about = f" ({one.about})" if one.about else ""
    lines = [f"{one.severity.value:<9}  {one.code}{about}: {one.told}"]
    if one.severity.value != "well":
        lines += [f"           {text}" for text in (one.means, _mend(one)) if text]
    return "\n".join(lines)


def _mend(one: Diagnosis) -> str:
    return f"Mend: {one.mend}" if one.mend else ""
