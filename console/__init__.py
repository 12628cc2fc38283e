"""What people touch: the command line, the HTTP surface, migrations and the wiring of live parts."""
