"""Approved mailboxes flow between Exchange Online and Dataverse."""
