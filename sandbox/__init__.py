"""Stand-ins for Entra, Graph and Dataverse, written from Microsoft's documentation alone."""
