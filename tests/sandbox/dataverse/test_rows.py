"""Transactions are seen by themselves alone until they commit."""

from __future__ import annotations

from sandbox.dataverse.rows import Store


def store() -> Store:
    made = Store({"mailbox": "mailboxid"})
    begun = made.begin()
    begun.put("mailbox", {"mailboxid": "a", "name": "old"})
    begun.commit()
    return made


def test_changes_are_private_until_the_commit() -> None:
    kept = store()
    mine = kept.begin()
    mine.put("mailbox", {"mailboxid": "a", "name": "new"})
    mine.put("mailbox", {"mailboxid": "b", "name": "second"})
    assert [row["name"] for row in mine.all("mailbox")] == ["new", "second"]
    assert [row["name"] for row in kept.all("mailbox")] == ["old"]
    mine.commit()
    assert [row["name"] for row in kept.all("mailbox")] == ["new", "second"]


def test_a_deleted_row_is_gone_for_its_transaction_first() -> None:
    kept = store()
    mine = kept.begin()
    mine.delete("mailbox", "a")
    assert mine.get("mailbox", "A") is None
    assert kept.get("mailbox", "A") is not None
    mine.commit()
    assert kept.all("mailbox") == []


def test_what_waits_for_the_commit_does_not_happen_without_it() -> None:
    kept, done = store(), []
    abandoned = kept.begin()
    abandoned.after_commit(lambda: done.append("never"))
    finished = kept.begin()
    finished.after_commit(lambda: done.append("once"))
    finished.commit()
    assert done == ["once"]


def test_every_write_gives_a_new_version() -> None:
    kept = store()
    begun = kept.begin()
    first = begun.put("mailbox", {"mailboxid": "a"})["versionnumber"]
    assert begun.put("mailbox", {"mailboxid": "a"})["versionnumber"] > first
