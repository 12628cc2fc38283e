"""Files become texts, nodes and complaints with their places; nothing here knows policies."""
