import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.local.safetensors_header import SafetensorsInvalid, read_tensor_bytes


def write(path: Path, sizes: dict[str, int], *, cut: int = 0) -> Path:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, size in sizes.items():
        header[name] = {"dtype": "U8", "shape": [size], "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    whole = len(raw).to_bytes(8, "little") + raw + bytes(at)
    path.write_bytes(whole[: len(whole) - cut])
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.integers(0, 99)
    )
)
def test_the_size_of_every_tensor_is_read(tmp_path: Path, sizes: dict[str, int]) -> None:
    sizes.pop("__metadata__", None)
    assert read_tensor_bytes(write(tmp_path / "x.safetensors", sizes)) == sizes


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 60))
def test_a_file_that_lacks_bytes_is_refused(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "x.safetensors", {"a": 20, "b": 30}, cut=cut)
    with pytest.raises(SafetensorsInvalid, match=r"x\.safetensors"):
        read_tensor_bytes(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_other_bytes_are_refused_or_have_no_tensors(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(raw)
    try:
        assert read_tensor_bytes(path) == {}
    except SafetensorsInvalid as exc:
        assert "x.safetensors" in str(exc)
