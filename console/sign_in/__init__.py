"""Who is at the console: signing in with Entra or by a link, sessions, and what proves a form."""
