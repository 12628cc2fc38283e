"""`mailbox-guard demo`: the whole story on the sandbox, in under a minute."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kernel.errors import GuardError
from kernel.log import configure

if TYPE_CHECKING:
    from console.demo.stage import Stage
    from console.demo.story import Story


@click.command(help="Tell the whole story on the sandbox.")
@click.option("--keep", is_flag=True, help="Leave everything running afterwards.")
def demo(keep: bool) -> None:
    """Exit 0 when every scene ended as promised, 1 when one did not."""
    configure(level="warning")
    asyncio.run(_play(keep=keep))


async def _play(*, keep: bool) -> None:
    from console.demo.stage import Stage
    from console.demo.story import Story

    stage = Stage(Path(tempfile.mkdtemp(prefix="mailbox-guard-demo-")))
    has_failed = False
    try:
        click.echo("Mailbox Guard: the story. Sandbox, guard and sync start on free ports …")
        await stage.open()
        story = Story(stage, click.echo)
        await story.play()
        click.echo(_summary(story))
        if keep:
            await _keep(stage)
    except GuardError:
        has_failed = True
        raise
    finally:
        await stage.close()
        # The hint of a failure names the guard's log, which lies there.
        if not has_failed:
            shutil.rmtree(stage.folder, ignore_errors=True)


def _summary(story: Story) -> str:
    from console.output import table

    rows = [
        (number, scene.act, scene.outcome, scene.seen)
        for number, scene in enumerate(story.scenes, start=1)
    ]
    return "\n" + table(("", "what happened", "outcome", "seen"), rows)


async def _keep(stage: Stage) -> None:
    from console.serving import stop_on_signals
    from sandbox import people

    box = people.BOB.mailbox_id
    token = stage.sandbox.user_token("bob")
    click.echo(f"\nEverything keeps running.\n  guard      http://127.0.0.1:{stage.port}")
    if (link := stage.console_link) is not None:
        click.echo(f"  console    {link} (good once, for ten minutes)")
    click.echo(f"  dataverse  {stage.sandbox.dataverse_url}")
    click.echo(f"  graph      {stage.sandbox.graph_url}")
    click.echo("\nFor `mailbox-guard` in another terminal:")
    for name, value in stage.settings.items():
        click.echo(f"  export {name}={value}")
    click.echo("\nBe Bob:")
    click.echo(
        f"  curl --cacert {stage.sandbox.ca_bundle_file} -X PATCH "
        f"'{stage.sandbox.dataverse_url}/api/data/v9.2/mailboxes({box})' "
        f"-H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' "
        f'-d \'{{"emailaddress": "{people.CEO.address}"}}\''
    )
    click.echo(f"\nLook:\n  curl http://127.0.0.1:{stage.port}/readyz")
    click.echo("\nInterrupt this to end it.")
    stop = asyncio.Event()
    stop_on_signals(stop)
    await stop.wait()
