"""Microsoft Graph: directory and mail, as its documentation describes them."""
