"""What must be looked up before a change can be decided, and where it is looked up."""
