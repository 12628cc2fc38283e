"""What the guard needs from outside, each port with its in-memory twin and its adapter."""
