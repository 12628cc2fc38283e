"""A Dataverse organisation: rows, Web API, event pipeline, webhooks."""
