"""What the sync remembers: plain functions on a connection, one noun per file."""
