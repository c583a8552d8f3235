"""Recordings in files: ours, traces of curl, captures, HAR, a page; and keys that are masked."""
