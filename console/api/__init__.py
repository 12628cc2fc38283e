"""The API under `/api/v1`: what the commands show and do, for programs and for people elsewhere."""
