"""PowerShell for Exchange Online that limits our application to the approved mailboxes."""
