"""Clients of the Microsoft services: tokens, one transport, Graph and Dataverse."""
