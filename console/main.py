"""The command line: one command tree, one place where errors become words and exit codes.

Exit codes everywhere: 0 done and clean, 1 the answer is no, 2 could not be done, 3 our own fault.
Every command lives in a module of its own, imported only when it is called, so that
`policy validate` starts as fast as Python does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from console.lazy import LazyGroup
from kernel.errors import GuardError

# name -> (module, attribute, one-line help); the help stands here so that `--help` imports nothing.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("console.commands.demo", "demo", "Tell the whole story on the sandbox."),
    "init": (
        "console.commands.init",
        "init",
        "Write settings and policies that fit, and say what to do next.",
    ),
    "serve": ("console.commands.serve", "serve", "Receive webhooks, watch, and sync."),
    "sync": ("console.commands.sync", "sync", "Run the sync loop alone."),
    "sandbox": ("console.commands.sandbox", "sandbox", "Stand-ins for Entra, Graph, Dataverse."),
    "policy": ("console.commands.policy", "policy", "Validate, test and check policies."),
    "decisions": ("console.commands.decisions", "decisions", "List, show and verify decisions."),
    "holds": ("console.commands.holds", "holds", "See what rules hold; release or refuse it."),
    "audit": ("console.commands.audit", "audit", "Compare Microsoft's own audit with ours."),
    "exceptions": ("console.commands.exceptions", "exceptions", "List and draft exceptions."),
    "scan": ("console.commands.scan", "scan", "Check what Dataverse already holds."),
    "mailboxes": ("console.commands.mailboxes", "mailboxes", "See and steer the mailboxes."),
    "brakes": (
        "console.commands.brakes",
        "brakes",
        "See what brakes have stopped, and let it go on.",
    ),
    "export": ("console.commands.export", "export", "Print what an administrator runs elsewhere."),
    "doctor": ("console.commands.doctor", "doctor", "Find what is wrong, and how to mend it."),
    "dataverse": (
        "console.commands.dataverse",
        "dataverse",
        "Register the guard in Dataverse, and see what stands there.",
    ),
    "db": ("console.commands.db", "db", "Bring the database's schema up to date."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Settings file; default mailbox-guard.toml in this directory.",
)
@click.option("--debug", is_flag=True, help="Show the chain of causes of an error.")
@click.version_option(package_name="mailbox-guard", prog_name="mailbox-guard")
@click.pass_context
def cli(ctx: click.Context, config: Path | None, debug: bool) -> None:
    """Reject illegitimate changes of mailbox records; sync only approved mailboxes."""
    ctx.obj = config
    ctx.meta["debug"] = debug


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; nothing yields a traceback to a person."""
    debug = "--debug" in (arguments if arguments is not None else sys.argv)
    try:
        result = cli.main(args=arguments, prog_name="mailbox-guard", standalone_mode=False)
        return int(result) if isinstance(result, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return 2
    except GuardError as error:
        _show(error)
        if debug:
            import traceback

            traceback.print_exc()
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the last resort turns our fault into a file.
        return _own_fault(error)


def _show(error: GuardError) -> None:
    from console.output import plain

    click.echo(plain(f"error: {error.message}"), err=True)
    if error.hint:
        click.echo(plain(f"hint: {error.hint}"), err=True)


def _own_fault(error: Exception) -> int:
    import tempfile
    import traceback

    from kernel.log import redacted_text

    text = redacted_text("".join(traceback.format_exception(error)))
    with tempfile.NamedTemporaryFile(
        "w", prefix="mailbox-guard-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write(text)
    click.echo(f"error: Mailbox Guard failed by its own fault ({type(error).__name__}).", err=True)
    click.echo(f"hint: The details are in {file.name}; please report them.", err=True)
    return 3
