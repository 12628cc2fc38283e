"""What is seen without being told: committed rows read back, compared and judged late."""
