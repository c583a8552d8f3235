"""What is wrong with a stream: the table of verdicts, their signatures, and the cures."""
