"""What people see of mailboxes and may tell them."""
