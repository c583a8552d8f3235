"""The simulated LLM: what an inference server is, without the GPU."""
