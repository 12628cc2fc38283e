"""What people do with changes that rules hold: see them, release them, refuse them.

Each action is one function, whoever calls it: a command, the API, a page.
"""

from guard.holds.approving import approve
from guard.holds.refusing import refuse
from guard.holds.showing import list_holds, show_hold

__all__ = ["approve", "list_holds", "refuse", "show_hold"]
