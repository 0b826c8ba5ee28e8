"""Trains everything the analyzer ships with: ``python -m training.analyzer.train``.

Reads ``prompts/``, ``material/`` and ``languages/``; writes the two JSON files next to the
analyzer. The same data gives the same files.
"""

from training.analyzer import train_language, train_task_type
from training.analyzer.corpus import Corpus


def main() -> None:
    """Train the language profiles, then the task type model."""
    train_language.train_and_export()
    examples = Corpus().examples()
    print(f"{len(examples)} prompts")
    train_task_type.export(train_task_type.train(examples))


if __name__ == "__main__":
    main()
