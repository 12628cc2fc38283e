"""The whole story on the sandbox: who does what, and what each party sees."""
