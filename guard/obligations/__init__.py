"""What the guard owes after a decision: obligations, each carried out as a kind of task."""
