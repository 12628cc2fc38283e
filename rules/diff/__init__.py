"""What changed in meaning between two policy sets."""
