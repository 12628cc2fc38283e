"""The guarded columns: which they are, whose row they are on, what of them differs."""
