import json
import re
from pathlib import Path

from actors.analyzer.excerpt import fold
from training.analyzer.corpus import Corpus

ROOT = Path(__file__).parents[3]
LABELLED = ROOT / "benchmarks" / "data" / "analyzer.jsonl"


def normalize(text: str) -> str:
    return re.sub(r"\W+", " ", fold(text)).strip()


def test_no_labelled_prompt_was_learnt_from() -> None:
    corpus = Corpus()
    learnt = {normalize(line.prompt) for line in corpus.written()}
    learnt |= {normalize(example.prompt) for example in corpus.examples()}
    rows = [json.loads(line) for line in LABELLED.read_text(encoding="utf-8").splitlines()]
    # A bare sum has no words of its own to overlap.
    shared = {normalize(row["prompt"]) for row in rows} & learnt
    assert not shared


def test_the_corpus_is_the_same_each_time() -> None:
    assert Corpus().examples() == Corpus().examples()


def test_the_corpus_has_every_task_type_in_both_languages() -> None:
    written = Corpus().written()
    cells = {(line.task_type, line.language) for line in written}
    assert len(cells) == 16
    assert len(written) >= 1200
