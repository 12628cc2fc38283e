"""Clients of the Microsoft services that guard and sync talk to: tokens, one transport, Graph, Dataverse."""
