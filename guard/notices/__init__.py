"""What people are told of changes that were refused: the words, who is told how often, in short."""
