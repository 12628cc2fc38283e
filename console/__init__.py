"""What people touch: command line, HTTP surface, migrations, and the wiring of live parts."""
