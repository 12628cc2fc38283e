"""What the guard does about its decisions: obligations, each the handler of a kind of task."""
