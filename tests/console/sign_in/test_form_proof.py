"""A form's proof is of one session and tells nothing of it."""

from __future__ import annotations

from console.sign_in.form_proof import is_proof, proof_for


def test_a_proof_is_good_for_its_session_alone() -> None:
    assert is_proof(proof_for("one"), "one")
    assert not is_proof(proof_for("one"), "another")
    for wrong in ("", "é", proof_for("one")[:-1]):
        assert not is_proof(wrong, "one")
    assert "one" not in proof_for("one")
