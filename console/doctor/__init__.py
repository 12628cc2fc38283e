"""What `doctor` asks of an installation, and what it makes of the answers."""
