"""How a server begins and ends; and that nonsense never breaks it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from onekcal.cli.main import app
from onekcal.errors import ConfigError, MissingExtra
from onekcal.serve.app import Settings
from onekcal.serve.server import guarded, listening

DOCUMENTED = {200, 202, 204, 400, 401, 403, 404, 405, 413, 422, 429, 500, 503, 504}
NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
FIELDS = ["smiles", "geometry", "format", "reaction", "coverage", "conformers", "rung", "predict"]


def test_the_server_itself_loads_no_library_that_computes() -> None:
    heavy = "{'torch', 'rdkit', 'numpy', 'scipy', 'ase'}"
    code = f"import sys, onekcal.serve.server; print(sorted({heavy} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_beyond_this_machine_there_is_a_token() -> None:
    assert guarded(Settings(), "127.0.0.1").token == ""
    open_to_all = guarded(Settings(), "0.0.0.0")
    assert len(open_to_all.token) >= 32
    assert open_to_all.token != guarded(Settings(), "0.0.0.0").token
    assert guarded(Settings(token="mine"), "192.168.0.2").token == "mine"
    assert guarded(Settings(token="mine"), "127.0.0.1").token == "mine"


def test_a_place_that_is_taken_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}.*--port"):
            listening("127.0.0.1", port)
    with pytest.raises(ConfigError, match="--port"):
        listening("127.0.0.1", 99_999)


def test_without_the_extra_the_verb_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onekcal.cli.serve.find_spec", lambda name: None)
    found = CliRunner().invoke(app, ["serve"])
    assert isinstance(found.exception, MissingExtra)
    assert "onekcal[serve]" in str(found.exception)


def test_the_command_says_where_it_is_and_what_is_wrong_and_ends_on_ctrl_c() -> None:
    words = [sys.executable, "-m", "onekcal", "serve", "--port", "0", "--model", "nosuch"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        assert "onekcal: http://127.0.0.1:" in server.stdout.readline()
        assert "no model at nosuch" in server.stderr.readline()
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
        assert "Traceback" not in server.stderr.read()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    route=st.sampled_from(["predict", "react", "bonds", "jobs"]),
    body=st.dictionaries(st.sampled_from(FIELDS), NONSENSE, max_size=3) | NONSENSE,
)
def test_nonsense_is_answered_with_a_documented_status(route: str, body: Any, client: Any) -> None:
    code, content, headers = client.raw(f"/api/{route}", body if body is not None else b"null")
    assert code in DOCUMENTED - {500}
    assert headers["Content-Type"] == "application/json"
    json.loads(content)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(path=st.text(max_size=30), method=st.sampled_from(["GET", "POST", "DELETE", "PUT"]))
def test_no_address_breaks_the_server(path: str, method: str, client: Any) -> None:
    for begin in ("/", "/api/", "/api/jobs/", "/runs/", "/static/", "/api/predict?smiles="):
        code, content, _ = client.raw(begin + quote(path), method=method)
        assert code in DOCUMENTED - {500}, (begin, path, content)
