"""Why a change was decided as it was: traced, and told in words."""
