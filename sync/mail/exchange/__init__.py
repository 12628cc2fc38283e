"""Exchange as mail needs it: a port, its in-memory twin, and the adapter over Graph."""
