"""The contract tests of event-stream clients: a service around a client, and what to ask of it."""
