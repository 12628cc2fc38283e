"""The workload mail: items of Exchange become email rows in Dataverse."""
