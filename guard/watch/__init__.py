"""What is seen without being told: every row, every approval, on a schedule."""
