"""Running the sync: the loop, one full pass, and what it reports."""
