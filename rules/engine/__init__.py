"""A change and its facts become a decision: compiled, indexed, pure and total."""
