"""The streaming spec suite: cases that judge a running server (`workshop spec URL`)."""
