"""Speaking OpenAI's protocol: requests, answers, errors and event streams in its shapes."""
