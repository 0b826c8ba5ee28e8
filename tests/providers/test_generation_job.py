from contracts.generation import GenerationRequest
from contracts.prompt import ChatMessage
from providers.generation_job import build_job
from providers.registries.model_entry import ModelEntry, SamplingDefaults
from providers.registries.strategy_registry import Strategy

STRATEGY = Strategy(key="standard", promise="as it is")
ENTRY = ModelEntry(
    key="mine",
    source="a/b",
    context_tokens=1000,
    sampling=SamplingDefaults(max_tokens=77, temperature=0.7, top_p=0.8, repetition_penalty=1.1),
    system_prompt="Be brief.",
)


def test_the_entrys_defaults_fill_in_what_a_request_does_not_say() -> None:
    job = build_job(GenerationRequest(prompt="hi"), ENTRY, STRATEGY)
    assert (job.max_tokens, job.temperature, job.top_p, job.repetition_penalty) == (
        77,
        0.7,
        0.8,
        1.1,
    )


def test_what_a_request_says_counts_even_where_it_is_the_contracts_default() -> None:
    request = GenerationRequest(
        prompt="hi", max_tokens=256, temperature=0.0, top_p=1.0, repetition_penalty=1.0, seed=5
    )
    job = build_job(request, ENTRY, STRATEGY)
    assert (job.max_tokens, job.temperature, job.top_p, job.repetition_penalty, job.seed) == (
        256,
        0.0,
        1.0,
        1.0,
        5,
    )


def test_max_tokens_stays_within_the_context() -> None:
    request = GenerationRequest(prompt="hi", max_tokens=5000)
    assert build_job(request, ENTRY, STRATEGY).max_tokens == 999


def test_the_system_prompt_comes_first_unless_there_is_one() -> None:
    job = build_job(GenerationRequest(prompt="hi"), ENTRY, STRATEGY)
    assert [(turn.role, turn.content) for turn in job.messages] == [
        ("system", "Be brief."),
        ("user", "hi"),
    ]
    own = GenerationRequest(messages=(ChatMessage(role="system", content="Own."),), prompt="hi")
    assert build_job(own, ENTRY, STRATEGY).messages == own.conversation()
