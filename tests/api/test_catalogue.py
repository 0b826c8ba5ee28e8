"""The models of all executors, put together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.catalogue import build_catalogue, strategy_for
from api.endpoints.inference import model_info
from contracts.errors import UnknownModel, UnknownStrategy
from contracts.presence import HostReport, ModelReport


def report(model: str, **fields: object) -> ModelReport:
    base: dict[str, object] = {
        "provider": "local",
        "source": "local",
        "strategies": ("standard", "optimized"),
        "default_strategy": "standard",
    }
    return ModelReport.model_validate({**base, "model": model, **fields})


def host(name: str, *models: ModelReport) -> HostReport:
    return HostReport(host=name, num_cpus=1, models=models)


def test_a_model_of_two_hosts_is_one_entry_with_both_places() -> None:
    hosts = [
        host("b", report("m", resident=True, resident_strategy="optimized")),
        host("a", report("m", available=False, loading=0.5)),
    ]
    (entry,) = build_catalogue(hosts)
    assert entry.resident
    assert entry.available
    assert [place.host for place in entry.hosts] == ["a", "b"]
    standard, optimized = model_info(entry).strategies
    assert (standard.default, standard.loaded, standard.loading_on) == (True, False, ("a",))
    assert (optimized.loaded, optimized.resident_on) == (True, ("b",))


def test_the_ablest_model_comes_first() -> None:
    hosts = [host("a", report("x", rank=1), report("y", rank=9), report("a", rank=1))]
    assert [entry.model for entry in build_catalogue(hosts)] == ["y", "a", "x"]


def test_a_model_that_needs_no_loading_is_loaded_with_every_strategy() -> None:
    (entry,) = build_catalogue([host("a", report("echo", resident=True))])
    assert all(state.loaded for state in model_info(entry).strategies)


def test_the_default_strategy_is_the_models_own() -> None:
    models = build_catalogue([host("a", report("m", default_strategy="optimized"))])
    assert strategy_for(models, "m", None) == "optimized"
    assert strategy_for(models, "m", "standard") == "standard"


def test_unknown_models_and_strategies_are_refused_with_the_known_ones() -> None:
    models = build_catalogue([host("a", report("m"), report("n"))])
    with pytest.raises(UnknownModel) as unknown_model:
        strategy_for(models, "../../etc/passwd", None)
    assert unknown_model.value.known == ("m", "n")
    with pytest.raises(UnknownStrategy) as unknown_strategy:
        strategy_for(models, "m", "turbo")
    assert unknown_strategy.value.known == ("optimized", "standard")


_reports = st.builds(
    report, st.sampled_from("abc"), rank=st.just(1), resident=st.booleans(), available=st.booleans()
)
_hosts = st.lists(
    st.builds(lambda name, models: host(name, *models), st.text(min_size=1), st.lists(_reports)),
    max_size=5,
)


@given(_hosts)
def test_every_reported_model_is_in_the_catalogue_once(hosts: list[HostReport]) -> None:
    catalogue = build_catalogue(hosts)
    reported = {model.model for one in hosts for model in one.models}
    assert [entry.model for entry in catalogue] == sorted(reported)
    num_places = sum(len(entry.hosts) for entry in catalogue)
    assert num_places == sum(len(one.models) for one in hosts)
