"""A headless Chromium, driven over its debugging protocol: what a reader's browser does with our
pages.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

from websockets.sync.client import connect

CHROMIUM = next(
    (
        path
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (path := shutil.which(name))
    ),
    None,
)
PATIENCE = 60.0
"""Seconds until a page that does not answer has failed."""
CONTRASTS = """(() => {
  const light = text => {
    const linear = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = text.match(/[\\d.]+/g).map(c => linear(Number(c) / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = box => {
    for (; box; box = box.parentElement) {
      const color = getComputedStyle(box).backgroundColor;
      if (!/rgba\\(.*, 0\\)/.test(color)) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const found = [];
  for (const box of document.querySelectorAll('body *')) {
    const own = [...box.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || ['SCRIPT', 'STYLE', 'OPTION', 'NOSCRIPT'].includes(box.tagName)
      || !box.getClientRects().length) continue;
    const look = getComputedStyle(box), ink = box instanceof SVGElement ? look.fill : look.color;
    const [a, b] = [light(ink), light(ground(box))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), box.textContent.trim().slice(0, 30)]);
  }
  return found;
})()"""
"""Contrast and beginning of every text that is shown."""
SILENT = """[...document.querySelectorAll(
  '[role=img], canvas.slice, button, select, input, textarea, iframe'
)].filter(box => !(
  box.getAttribute('aria-label') || box.textContent.trim() || box.labels?.length || box.title
)).map(box => box.outerHTML)"""
"""Whatever a screen reader would have no words for."""


class Chromium:
    """One process for all tabs: each start takes seconds."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        self.process = subprocess.Popen(
            [
                CHROMIUM,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--enable-unsafe-swiftshader",
                "--no-first-run",
                "--disable-features=IsolateSandboxedIframes",
                "--remote-debugging-port=0",
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stderr is not None
        said = (re.search(r"ws://(127.0.0.1:\d+)/\S+", line) for line in self.process.stderr)
        found = next(each for each in said if each)
        self.address = found[1]
        # unread, what it says would fill the pipe, and it would wait for room
        self.listener = Thread(target=self.process.stderr.read)
        self.listener.start()
        self.open_things = ExitStack()
        self.socket = self.open_things.enter_context(connect(found[0], max_size=None))
        self.count = 0

    def ask(self, method: str, **params: Any) -> Any:
        """Of the browser, not of a tab."""
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        while True:
            told = json.loads(self.socket.recv(timeout=PATIENCE))
            if told.get("id") == self.count:
                assert "error" not in told, told["error"]
                return told["result"]

    def close(self) -> None:
        self.open_things.close()
        self.process.kill()
        self.process.wait()
        self.listener.join()
        assert self.process.stderr is not None
        self.process.stderr.close()


class Browser:
    """One tab with a profile of its own.

    What it asks of the network is in `requests`, every uncaught error in `errors`.
    """

    def __init__(
        self, chromium: Chromium, width: int = 1280, height: int = 1000, dark: bool = False
    ) -> None:
        self.chromium = chromium
        self.profile = chromium.ask("Target.createBrowserContext")["browserContextId"]
        target = chromium.ask(
            "Target.createTarget",
            url="about:blank",
            browserContextId=self.profile,
            width=width,
            height=height,
        )["targetId"]
        self.open_things = ExitStack()
        address = f"ws://{chromium.address}/devtools/page/{target}"
        self.socket = self.open_things.enter_context(connect(address, max_size=None))
        self.count, self.requests, self.errors = 0, [], []
        self.contexts: list[
            int
        ] = []  # where scripts of the page and of its frames run, in the order they came up
        self._call("Page.enable")
        self._call("Network.enable")
        self._call("Runtime.enable")
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self._call("Performance.enable", timeDomain="threadTicks")
        self.dark(dark)

    def open(self, page: Path | str) -> float:
        """Seconds until the page, a file or an address, says that it is ready."""
        started = time.perf_counter()
        address = page if isinstance(page, str) else page.resolve().as_uri()
        self._call("Page.navigate", url=address)
        self.wait("document.documentElement?.dataset?.ready === 'yes'")
        return time.perf_counter() - started

    def wait(self, condition: str, context: int | None = None) -> None:
        """Until a JavaScript condition holds."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self.run(condition, context) or self.errors:
                break
            time.sleep(0.05)
        assert not self.errors, self.errors
        assert self.run(condition, context), f"never became true: {condition}"

    def run(self, script: str, context: int | None = None) -> Any:
        """The value of a JavaScript expression, in the page or in one of its frames."""
        where = {} if context is None else {"contextId": context}
        found = self._call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, **where
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def click(self, x: float, y: float) -> None:
        """The left button at a place of the window."""
        self._call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def hover(self, x: float, y: float) -> None:
        """The pointer to a place of the window."""
        self._call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def type(self, letter: str) -> None:
        """A letter."""
        big = letter.upper()
        code = {"key": letter, "code": f"Key{big}", "windowsVirtualKeyCode": ord(big)}
        self._call("Input.dispatchKeyEvent", type="keyDown", text=letter, **code)
        self._call("Input.dispatchKeyEvent", type="keyUp", **code)

    def press(self, key: str) -> None:
        """A key, such as Tab, Enter or ArrowRight."""
        codes = {"Tab": 9, "Enter": 13, "ArrowLeft": 37, "ArrowRight": 39}
        told = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        self._call(
            "Input.dispatchKeyEvent",
            type="keyDown",
            **told,
            **({"text": "\r"} if key == "Enter" else {}),
        )
        self._call("Input.dispatchKeyEvent", type="keyUp", **told)

    def dark(self, on: bool) -> None:
        """The reader's system turns dark, or bright."""
        scheme = "dark" if on else "light"
        self._call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    def seconds(self) -> float:
        """Of a processor, that the page's own thread has taken so far."""
        found = self._call("Performance.getMetrics")["metrics"]
        return next(one["value"] for one in found if one["name"] == "TaskDuration")

    def screenshot(self) -> bytes:
        """The window as PNG."""
        from base64 import b64decode

        return b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def close(self) -> None:
        self.open_things.close()
        # closes the tab, too
        self.chromium.ask("Target.disposeBrowserContext", browserContextId=self.profile)

    def _call(self, method: str, **params: Any) -> Any:
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        while True:
            told = json.loads(self.socket.recv(timeout=PATIENCE))
            if told.get("method") == "Network.requestWillBeSent":
                self.requests.append(told["params"]["request"]["url"])
            elif told.get("method") == "Runtime.exceptionThrown":
                self.errors.append(told["params"]["exceptionDetails"])
            elif told.get("method") == "Runtime.executionContextCreated":
                self.contexts.append(told["params"]["context"]["id"])
            elif told.get("method") == "Runtime.executionContextsCleared":
                self.contexts.clear()
            elif told.get("method") == "Runtime.executionContextDestroyed":
                self.contexts.remove(told["params"]["executionContextId"])
            elif told.get("id") == self.count:
                assert "error" not in told, told["error"]
                return told["result"]
