"""The one place where live parts are put together."""
