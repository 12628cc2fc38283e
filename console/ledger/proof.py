"""`decisions verify --export`: whether an exported file is the one that was written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from console.output import Output, counted, emit


def prove_export(
    ctx: click.Context, file: Path, public_keys: Sequence[Path], outputs: Sequence[Output]
) -> int:
    """Exit 0 when the file is whole, 1 with the reason when it is not. No setting is read."""
    from guard.ledger.anchor import read_public_key
    from guard.ledger.envelope import prove

    keys = [read_public_key(one) for one in public_keys]
    proof = prove(file)
    reason = proof.reason
    if reason is None and keys and proof.key not in keys:
        how = "not signed" if proof.key is None else f"signed by another key, {proof.key}"
        reason = f"the envelope is {how}"
    stated = proof.statement
    result = {
        "whole": reason is None,
        "file": str(file),
        "decisions": stated["counts"]["decisions"],
        "made_at": stated["made_at"],
        "form": stated["form"],
        "asked": stated["asked"],
        "signed_by": proof.key,
        "reason": reason,
    }

    def text() -> str:
        if reason is not None:
            return f"Not whole: {file}: {reason}."
        return (
            f"Whole: {counted(stated['counts']['decisions'], 'decision')}, "
            f"exported at {stated['made_at']}."
        )

    emit(outputs, result, text=text)
    if reason is None and not keys:
        how = "unsigned" if proof.key is None else f"signed by {proof.key}"
        click.echo(f"The envelope is {how}; no key says whose it is.", err=True)
    return 0 if reason is None else 1
