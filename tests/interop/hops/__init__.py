"""Real hops between a streaming server and a client, and what x-ray says about each."""
