"""The engine of every workload: streams, page commits, visits, permits and leases."""
