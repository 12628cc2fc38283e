"""The workload mail: messages of the Inbox become email rows in Dataverse."""
