"""Keys by command: made before anything listens, revoked while it runs, never shown again."""

from pathlib import Path

import httpx2

from promptbus.endpoint import read_endpoint
from tests.promptbus.commands import (
    environment,
    promptbus,
    promptbus_each,
    started,
    until,
    until_said,
)

EVERYWHERE = "0.0.0.0"  # noqa: S104 - binding to it is what keys are for
QUICK = {"PROMPTBUS_DEFAULT_MODEL": "echo", "PROMPTBUS_PRELOAD": ""}


def test_the_api_opens_to_others_only_with_keys(tmp_path: Path) -> None:
    data_dir, log = tmp_path / "data", tmp_path / "up.log"
    env = environment(PROMPTBUS_DATA_DIR=str(data_dir), **QUICK)
    open_to_all = ("up", "--host", EVERYWHERE, "--port", "0")

    without, unlocked = promptbus_each([open_to_all, ("keys", "list")], env=env)
    assert (without.code, "asks for keys, and there is none" in without.err) == (1, True)
    assert "promptbus keys create" in without.err
    assert (unlocked.code, unlocked.out) == (0, "")
    forced = promptbus(*open_to_all, env=env, PROMPTBUS_REQUIRE_KEYS="false")
    assert (forced.code, "without keys" in forced.err) == (1, True)

    made = promptbus("keys", "create", "ana", "--expires-in", "90d", env=env)
    token = made.out.strip()
    assert (made.code, token[:3], len(token)) == (0, "pb_", 59)
    assert "may submit, read, until" in made.err
    with started(*open_to_all, log=log, env=env):
        until_said("Ctrl-C", log)
        endpoint = read_endpoint(data_dir)
        assert endpoint is not None
        assert endpoint.api_url is not None
        url = endpoint.api_url.replace(EVERYWHERE, "127.0.0.1")
        with httpx2.Client(base_url=url) as http:

            def status(key: str) -> int:
                headers = {"Authorization": f"Bearer {key}"}
                return http.get("/system/actors", headers=headers).status_code

            assert http.get("/system/actors").status_code == 401
            assert http.get("/health/live", headers={"Host": "bus.example"}).status_code == 200
            assert status(token) == 200
            second, listed = promptbus_each(
                [
                    ("keys", "create", "bo", "--scopes", "read", "--json"),
                    ("keys", "list", "--json"),
                ],
                env=env,
            )
            assert status(second.json()["key"]) == 200
            assert [key["name"] for key in listed.json()] == ["ana", "bo"]
            assert token[16:] not in listed.out
            assert "sha256" not in listed.out
            key_id = second.json()["key_id"]
            assert promptbus("keys", "revoke", key_id, env=env).code == 0
            until(lambda: status(second.json()["key"]) == 401, log=log)
            assert status(token) == 200
    again, shown, text = promptbus_each(
        [("keys", "revoke", key_id), ("keys", "list", "--json"), ("keys", "list")], env=env
    )
    assert again.code == 0
    assert [key["state"] for key in shown.json()] == ["usable", "revoked"]
    assert "revoked" in text.out


def test_misuse_is_told(tmp_path: Path) -> None:
    env = environment(PROMPTBUS_DATA_DIR=str(tmp_path / "data"))
    cases = {
        ("create", ""): "NAME",
        ("create", "a\nb"): "NAME",
        ("create", "a", "--scopes", "submit,root"): "--scopes",
        ("create", "a", "--scopes", ""): "--scopes",
        ("create", "a", "--expires-in", "0d"): "--expires-in",
        ("create", "a", "--expires-in", "9999999d"): "--expires-in",
        ("create", "a", "--expires-in", "999999d"): "--expires-in",
        ("revoke", "nosuch"): "no such key",
    }
    each = promptbus_each([("keys", *case) for case in cases], env=env)
    for told, done in zip(cases.values(), each, strict=True):
        assert (done.code, done.out) == (2, "")
        assert told in done.err
