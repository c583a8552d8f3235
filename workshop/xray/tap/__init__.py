"""A tap between any client and any server, and the table of the streams that pass."""
