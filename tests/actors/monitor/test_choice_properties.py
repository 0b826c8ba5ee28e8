"""What holds for any hosts and any task."""

import random

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from actors.monitor.choice import choose
from actors.monitor.ranking import WORTH_LOADING
from contracts.errors import (
    InvalidInput,
    NoExecutor,
    PromptbusError,
    UnknownModel,
    UnknownStrategy,
)
from contracts.event import ResourcesDecided
from contracts.presence import DeviceReport, HostReport, ModelReport
from contracts.prompt import TaskType
from contracts.run_id import new_run_id
from contracts.task import DecideResources
from tests.actors.monitor.hosts import STRATEGIES

NAMES = ("pocket", "echo", "small", "large", "far")
SIZES = st.integers(0, 40)

MODELS = st.builds(
    ModelReport,
    model=st.sampled_from(NAMES),
    provider=st.just("local"),
    source=st.sampled_from(["local", "local", "remote"]),
    strategies=st.lists(st.sampled_from(STRATEGIES), min_size=1, unique=True).map(tuple),
    default_strategy=st.just("standard"),
    size_bytes=st.none() | SIZES,
    context_tokens=st.none() | st.integers(1, 100),
    good_at=st.sampled_from([(), ("chat",), ("code", "chat"), ("math",)]),
    rank=st.integers(-5, 60),
    available=st.booleans(),
    resident=st.booleans(),
    resident_strategy=st.none() | st.sampled_from(STRATEGIES),
    loading=st.none() | st.floats(0, 1),
).map(lambda report: report.model_copy(update={"default_strategy": report.strategies[0]}))
DEVICES = st.builds(
    DeviceReport,
    name=st.sampled_from(["cpu", "cuda:0"]),
    kind=st.sampled_from(["cuda", "mps", "cpu"]),
    total_bytes=st.just(100),
    free_bytes=SIZES,
    evictable_bytes=st.integers(0, 10),
)
HOSTS = st.lists(
    st.builds(
        HostReport,
        host=st.sampled_from("abc"),
        num_cpus=st.just(1),
        cpu_percent=st.floats(0, 100),
        devices=st.lists(DEVICES, max_size=2).map(tuple),
        models=st.lists(MODELS, max_size=4, unique_by=lambda report: report.model).map(tuple),
    ),
    max_size=3,
    unique_by=lambda report: report.host,
)
# A busy machine is no fault of what is tested.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def tasks(
    models: st.SearchStrategy[str | None], strategies: st.SearchStrategy[str | None]
) -> st.SearchStrategy[DecideResources]:
    return st.builds(
        DecideResources,
        run_id=st.builds(new_run_id),
        task_type=st.sampled_from([TaskType.CHAT, TaskType.CODE, TaskType.MATH]),
        difficulty=st.sampled_from(["low", "medium", "high", "unheard of"]),
        num_tokens=st.integers(0, 120),
        local_only=st.booleans(),
        model=models,
        strategy=strategies,
    )


ANY_STRATEGY = st.none() | st.sampled_from((*STRATEGIES, "unknown"))
NAMED = tasks(st.sampled_from((*NAMES, "unknown")), ANY_STRATEGY)
FREE = tasks(st.none(), ANY_STRATEGY)
FREE_IN_ALL = tasks(st.none(), st.none())
DEFAULTS = st.sampled_from(NAMES)


def attempt(
    task: DecideResources, hosts: list[HostReport], default_model: str
) -> ResourcesDecided | PromptbusError:
    try:
        return choose(task, hosts, default_model)
    except (InvalidInput, NoExecutor) as exc:
        return exc


def reports(hosts: list[HostReport], name: str) -> list[ModelReport]:
    return [model for host in hosts for model in host.models if model.model == name]


@UNHURRIED
@given(task=NAMED | FREE, hosts=HOSTS, default_model=DEFAULTS)
def test_the_choice_is_announced_or_the_error_typed(
    task: DecideResources, hosts: list[HostReport], default_model: str
) -> None:
    found = attempt(task, hosts, default_model)
    event(type(found).__name__)
    if not isinstance(found, ResourcesDecided):
        return
    (host,) = (host for host in hosts if host.host == found.host)
    (model,) = (model for model in host.models if model.model == found.model)
    assert task.strategy in (None, found.strategy)
    assert found.strategy in (*model.strategies, model.resident_strategy)
    assert found.model not in found.fallbacks
    assert all(reports(hosts, name) for name in found.fallbacks)
    assert len(set(found.fallbacks)) == len(found.fallbacks)
    assert found.model in found.reason


@UNHURRIED
@given(task=NAMED, hosts=HOSTS, default_model=DEFAULTS)
def test_explicit_wishes_are_honoured_or_refused(
    task: DecideResources, hosts: list[HostReport], default_model: str
) -> None:
    assert task.model is not None
    found = attempt(task, hosts, default_model)
    served = reports(hosts, task.model)
    if isinstance(found, ResourcesDecided):
        assert (found.model, found.fallbacks) == (task.model, ())
    elif not any(host.models for host in hosts):
        assert isinstance(found, NoExecutor)
    elif not served:
        assert isinstance(found, UnknownModel)
        assert task.model not in found.known
    elif isinstance(found, InvalidInput) and found.field == "model":
        assert task.local_only
        assert all(model.source == "remote" for model in served)
    else:
        assert isinstance(found, UnknownStrategy)
        near = [model for model in served if not (task.local_only and model.source == "remote")]
        assert all(task.strategy not in model.strategies for model in near)


@UNHURRIED
@given(task=FREE, hosts=HOSTS, default_model=DEFAULTS)
def test_a_free_choice_fits_memory_and_context_and_is_available(
    task: DecideResources, hosts: list[HostReport], default_model: str
) -> None:
    found = attempt(task, hosts, default_model)
    if not isinstance(found, ResourcesDecided):
        return
    for name in (found.model, *found.fallbacks):
        assert name != "echo"
        assert any(
            model.available
            and (model.context_tokens is None or task.num_tokens < model.context_tokens)
            and is_held_or_fits(model, host, default_model)
            for host in hosts
            for model in host.models
            if model.model == name
        )


@UNHURRIED
@given(task=NAMED | FREE, hosts=HOSTS, default_model=DEFAULTS)
def test_a_local_task_never_goes_to_a_remote_model(
    task: DecideResources, hosts: list[HostReport], default_model: str
) -> None:
    found = attempt(task.model_copy(update={"local_only": True}), hosts, default_model)
    if isinstance(found, ResourcesDecided):
        for name in (found.model, *found.fallbacks):
            assert any(model.source == "local" for model in reports(hosts, name))


def is_held_or_fits(model: ModelReport, host: HostReport, default_model: str) -> bool:
    if model.resident or model.loading is not None or model.source == "remote":
        return True
    if model.size_bytes is None:
        return model.model == default_model
    return any(
        device.free_bytes + device.evictable_bytes >= model.size_bytes for device in host.devices
    )


@UNHURRIED
@given(task=FREE_IN_ALL, hosts=HOSTS, default_model=DEFAULTS)
def test_a_resident_model_is_preferred_unless_another_is_clearly_better(
    task: DecideResources, hosts: list[HostReport], default_model: str
) -> None:
    found = attempt(task, hosts, default_model)
    if not isinstance(found, ResourcesDecided) or found.model == default_model:
        return
    (host,) = (host for host in hosts if host.host == found.host)
    (chosen,) = (model for model in host.models if model.model == found.model)
    if chosen.resident:
        return
    good = task.task_type.value in chosen.good_at
    for other in (
        model for host in hosts for model in host.models if model.model in found.fallbacks
    ):
        usable = other.available and (other.context_tokens or 999) > task.num_tokens
        usable = usable and not (task.local_only and other.source == "remote")
        if usable and other.resident and (task.task_type.value in other.good_at) is good:
            margin = WORTH_LOADING.get(task.difficulty, WORTH_LOADING["medium"]) if good else 10
            assert chosen.rank >= other.rank + margin


@UNHURRIED
@given(task=NAMED | FREE, hosts=HOSTS, default_model=DEFAULTS, seed=st.integers())
def test_the_choice_does_not_depend_on_the_order_of_what_is_announced(
    task: DecideResources, hosts: list[HostReport], default_model: str, seed: int
) -> None:
    chance = random.Random(seed)
    mixed = [
        host.model_copy(
            update={
                "models": tuple(chance.sample(host.models, len(host.models))),
                "devices": tuple(chance.sample(host.devices, len(host.devices))),
            }
        )
        for host in chance.sample(hosts, len(hosts))
    ]
    one, two = attempt(task, hosts, default_model), attempt(task, mixed, default_model)
    if isinstance(one, ResourcesDecided):
        assert isinstance(two, ResourcesDecided)
        assert one.model_copy(update={"reason": ""}) == two.model_copy(update={"reason": ""})
    else:
        assert (type(one), str(one)) == (type(two), str(two))
