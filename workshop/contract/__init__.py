"""The contract tests of event-stream clients: a service around a client, and tests that use the
service."""
