"""The first day: an organisation's answers become a settings file and a policy folder."""
