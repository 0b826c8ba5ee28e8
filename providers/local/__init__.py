"""The provider that runs Hugging Face checkpoints in this process, with transformers."""
