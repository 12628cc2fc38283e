"""The policy language: catalogue, operators, loading, deciding, explaining and testing."""
