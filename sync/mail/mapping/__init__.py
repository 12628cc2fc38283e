"""Graph messages become Dataverse rows; pure, and truncated as the columns demand."""
