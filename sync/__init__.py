"""Approved mailboxes flow between Exchange Online and Dataverse, nothing lost and nothing twice."""
