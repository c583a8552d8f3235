"""Runs real hops between a streaming server and a client, and compares x-ray's verdict on each with
the truth."""
