"""Models that any OpenAI-compatible server runs: vLLM, llama-server, Ollama, another promptbus."""
