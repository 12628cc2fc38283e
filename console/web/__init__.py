"""The console in the browser: pages made on the server, for people without a terminal."""
