"""What the guard owes after a decision: one file for each kind of task, listed in `table`."""
