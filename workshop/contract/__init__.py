"""Contract tests for event-stream clients: a service that wraps a client, and tests that use the
service."""
