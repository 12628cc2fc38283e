"""A change comes in, a decision goes out, and what must follow follows."""
