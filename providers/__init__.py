"""What generates text: one gateway, the registries of models and strategies, and the providers.

This floor knows the contracts and no bus. Importing the gateway imports neither torch nor
transformers; the local provider does that when it loads its first model.
"""
