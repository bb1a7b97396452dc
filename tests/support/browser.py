"""Chromium without a window, driven over its DevTools protocol: real keys, other sizes, and what the console says."""

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

needs_chromium = pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
KEYS = {"Enter": (13, "\r"), "ArrowDown": (40, ""), "Tab": (9, "")}


class Browser:
    """One page; ``complaints`` holds what the console was told, ``requests`` the addresses that were asked for."""

    def __init__(self, profile: Path):
        from_us, to_browser = os.pipe()
        from_browser, to_us = os.pipe()
        options = f"--headless --no-sandbox --disable-gpu --remote-debugging-pipe --user-data-dir={profile}"
        command = ["bash", "-c", f"exec chromium {options} 3<&{from_us} 4>&{to_us}"]
        self._process = subprocess.Popen(command, pass_fds=(from_us, to_us), stderr=subprocess.DEVNULL)
        os.close(from_us)
        os.close(to_us)
        self._in, self._out = os.fdopen(to_browser, "wb"), os.fdopen(from_browser, "rb")
        self._number, self._unread, self._session = 0, b"", ""
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, path: Path, width: int = 1200) -> None:
        """Load a page and wait until it is there."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.complaints.clear()
        self.requests.clear()
        self._call("Page.navigate", url=path.as_uri())
        while self._receive().get("method") != "Page.loadEventFired":
            pass

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def pages(self, width: float, height: float) -> int:
        """Print on paper of a size in mm; return the number of pages."""
        size = {"paperWidth": width / 25.4, "paperHeight": height / 25.4}
        printed = base64.b64decode(self._call("Page.printToPDF", **size)["data"])
        return len(re.findall(rb"/Type\s*/Page\b", printed))

    def prefer(self, scheme: str) -> None:
        """Read on a light or a dark screen."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._call("Emulation.setEmulatedMedia", features=[feature])

    def press(self, key: str) -> None:
        """Press and release a key."""
        code, text = KEYS[key]
        same = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self._call("Input.dispatchKeyEvent", type="keyDown", text=text, **same)
        self._call("Input.dispatchKeyEvent", type="keyUp", **same)

    def close(self) -> None:
        """End the browser."""
        self._in.close()
        self._process.terminate()
        self._process.wait()
        self._out.close()

    def _call(self, method: str, **params: Any) -> dict:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._in.write(json.dumps(message).encode() + b"\0")
        self._in.flush()
        while (answer := self._receive()).get("id") != self._number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _receive(self) -> dict:
        while b"\0" not in self._unread:
            received = os.read(self._out.fileno(), 1 << 20)
            assert received, "chromium has ended"
            self._unread += received
        message, _, self._unread = self._unread.partition(b"\0")
        event = json.loads(message)
        method = event.get("method")
        if method in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.complaints.append(json.dumps(event["params"]))
        if method == "Network.requestWillBeSent":
            self.requests.append(event["params"]["request"]["url"])
        return event
