"""Exchange as the sync needs it: a port, its in-memory twin, and the adapter over Graph."""
