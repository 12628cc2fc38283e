"""The operators themselves: a file for each, or for those that are each other's opposite."""
