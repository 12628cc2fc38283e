"""Policy tests: cases run, covered, mutated and drafted."""
