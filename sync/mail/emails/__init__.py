"""Email rows of Dataverse: a port, its in-memory twin, and the adapter over the Web API."""
