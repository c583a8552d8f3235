"""What one response shows: from recorded reads to exchanges, and their times, borders and ends."""
