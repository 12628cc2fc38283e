"""The errors of the organisation, with the codes that callers see."""

from __future__ import annotations


class Fault(Exception):
    """A request fails: HTTP status, hexadecimal code, text."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


WEBHOOK_REFUSED = "0x80050201"
WEBHOOK_TIMED_OUT = "0x80050202"
WEBHOOK_BAD_HEADERS = "0x80050203"
WEBHOOK_BAD_QUERY = "0x80050204"
WEBHOOK_UNREACHABLE = "0x80050205"
WEBHOOK_TOO_LARGE = "0x80050207"
MAILBOX_ADDRESS_FIXED = "0x8005E208"
CONCURRENCY_MISMATCH = "0x80060882"
RECORD_EXISTS = "0x80060892"
NOT_FOUND = "0x80040217"
NO_PRIVILEGE = "0x80040220"
INVALID_ARGUMENT = "0x80040203"
BAD_PROPERTY = "0x80048d19"
BAD_QUERY = "0x80060888"
TEXT_TOO_LONG = "0x80044331"
INVALID_CHARACTERS = "0x80040278"
VALUE_OUT_OF_RANGE = "0x8004431a"
BAD_STATUS_FOR_STATE = "0x80048408"
NOT_A_MEMBER = "0x80072560"
LOCK_TIMED_OUT = "0x80044151"


def not_found(table: str, record_id: str) -> Fault:
    """Return the fault for a row that is not there."""
    return Fault(404, NOT_FOUND, f"Entity '{table}' With Id = {record_id} Does Not Exist")


def lacks_privilege(user_id: str, privilege: str, table: str) -> Fault:
    """Return the fault for a caller without the privilege."""
    return Fault(
        403,
        NO_PRIVILEGE,
        f"Principal user (Id={user_id}, type=8) is missing {privilege} privilege for entity "
        f"'{table}'.",
    )
