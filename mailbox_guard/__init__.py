"""The one name that an installation adds to site-packages; the packages lie inside it."""
