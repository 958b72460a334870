"""Who may ask, how much and how often; what a browser is told."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from onekcal.serve.app import STATIC
from onekcal.serve.guard import HEADERS
from onekcal.serve.limits import Limits, Rate


def test_every_reply_forbids_scripts_of_others(client) -> None:
    for path in ("/", "/api/about", "/api/docs", "/static/app.js", "/nothing"):
        _, _, headers = client.raw(path)
        policy = headers["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert {name.lower() for name in HEADERS} <= {name.lower() for name in headers}


def test_no_page_has_a_script_or_a_handler_or_a_style_of_its_own() -> None:
    for page in STATIC.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)", text)
        assert not re.search(r"\son\w+=|style=|<style|javascript:", text)
        assert not re.search(r"(src|href)=\"(?!/|#|data:,)", text)
    reads_html = re.compile(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(")
    for code in STATIC.glob("*.js"):
        assert not reads_html.search(code.read_text(encoding="utf-8")), code


def test_another_name_of_this_machine_is_refused(client) -> None:
    """A page of another site that has its name point here sends that name."""
    for name in ("evil.example", f"evil.example:{client.port}", "127.0.0.1.evil.example", ""):
        assert client.raw("/api/about", Host=name or " ")[0] in (400, 403)
    for name in (f"localhost:{client.port}", f"127.0.0.1:{client.port}"):
        assert client.raw("/api/about", Host=name)[0] == 200


def test_a_page_of_another_site_cannot_ask(client) -> None:
    asked = {"smiles": "C"}
    assert client.raw("/api/predict", asked, Origin="https://evil.example")[0] == 403
    assert client.raw("/api/predict", asked, Origin="null")[0] == 403
    assert client.raw("/api/predict?smiles=C", Sec_Fetch_Site="cross-site")[0] == 403
    assert client.raw("/api/predict", asked, Origin=client.address)[0] == 200


def test_without_its_token_nothing_is_told(serve: Callable) -> None:
    client = serve(token="sesame", hosts=frozenset())
    for path in ("/", "/api/about", "/static/app.js", "/?token=wrong", "/api/about?token=sesame"):
        assert client.raw(path)[0] == 401, path
    assert client.raw("/api/about", Authorization="Bearer sesam")[0] == 401
    assert client.raw("/api/about", Authorization="Bearer sesame")[0] == 200
    assert client.raw("/api/about", Cookie="onekcal-token=sesame")[0] == 200
    assert client.raw("/api/about", Cookie="onekcal-token=s\xe9same")[0] == 401


def test_an_address_with_the_token_lets_a_browser_in(serve: Callable) -> None:
    import http.client

    client = serve(token="sesame", hosts=frozenset())
    line = http.client.HTTPConnection("127.0.0.1", client.port)
    line.request("GET", "/?token=sesame&smiles=CCO")
    reply = line.getresponse()
    reply.read()
    line.close()
    assert reply.status == 303
    assert reply.headers["Location"] == "/?smiles=CCO"
    cookie = reply.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_what_is_too_large_is_refused_also_when_it_does_not_say_so(serve: Callable) -> None:
    import http.client

    client = serve(limits=Limits(body=2000, upload=4000))
    code, content, _ = client.raw("/api/predict", {"geometry": "x" * 3000})
    assert code == 413
    assert b"KiB" in content
    assert client.raw("/api/batch?file=a.smi", b"C" * 5000)[0] == 413
    line = http.client.HTTPConnection("127.0.0.1", client.port)
    line.request("POST", "/api/batch?file=a.smi", iter([b"C" * 3000] * 3), encode_chunked=True)
    assert line.getresponse().status in (400, 413)
    line.close()


def test_one_address_that_asks_too_often_is_slowed_down(serve: Callable) -> None:
    client = serve(limits=Limits(rate=0.001, burst=3))
    codes = [client.raw("/api/about")[0] for _ in range(5)]
    assert codes == [200, 200, 200, 429, 429]


def test_a_rate_fills_again_and_forgets_old_addresses() -> None:
    rate = Rate(Limits(rate=2.0, burst=2))
    assert [rate.wait("a", 0.0) for _ in range(3)] == [0.0, 0.0, 0.5]
    assert rate.wait("b", 0.0) == 0.0
    assert rate.wait("a", 0.5) == 0.0
    for k in range(20_000):
        rate.wait(str(k), 1.0)
    assert len(rate.left) <= 10_000


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2f..%2fapp.py",
        "/static/%2e%2e/%2e%2e/app.py",
        "/runs/..%2f..%2fetc%2fpasswd",
        "/runs/%2e%2e/report.html",
        "/api/jobs/..%2f..%2fx",
        "/api/jobs/batch-0000000000000000/download.csv",
        "/api/jobs/%2e%2e/rows",
    ],
)
def test_no_path_leads_out_of_its_folder(path: str, client) -> None:
    code, content, _ = client.raw(path)
    assert code in (400, 404)
    assert b"root:" not in content
    assert b"import" not in content
