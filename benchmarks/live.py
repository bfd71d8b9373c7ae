"""How quickly does the bench answer? Strokes to classes and a map, alone and beside others.

    python benchmarks/live.py ATLAS [--model MODEL] [--weights FILE] [--strokes 500] [--drawers 8]
        [--job]

A server is started and asked over HTTP, as the page asks it. Told are milliseconds from sending a
picture to having its answer: the classes; the classes and a gradient map of the first; both with
units of a hidden layer removed, kept or raised; and both for several clients at once, each sending
its next picture when the last was answered. With --job it is told once more while a job runs, 50
pictures of a class drawn at once.
"""

import argparse
import base64
import io
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from PIL import Image

from phosphene import Network, load_network
from phosphene.live.application import live_app
from phosphene.live.exhibits import Exhibit
from phosphene.live.guard import Guard
from phosphene.study.source import find_source


def main() -> None:
    asked = arguments()
    if asked.model:
        network = load_network(asked.model, asked.weights)
    else:
        network = find_source(str(asked.atlas)).network
    with socket.create_server(("127.0.0.1", 0)) as listening:
        app = Guard(live_app([Exhibit("net", asked.atlas, network)]))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/api/net/read"
        strokes = pictures(network, asked.strokes)
        measured(address, strokes[:20], "*", "warm")
        print(f"{network.name}, {len(strokes)} strokes, milliseconds: median, 95 %, most")
        told("classes", measured(address, strokes, "", "one"))
        told("classes and a map", measured(address, strokes, "*", "one"))
        for how, changes in changed(network).items():
            told(how, measured(address, strokes, "*", "one", changes=changes))
        each = max(1, len(strokes) // asked.drawers)
        with ThreadPoolExecutor(asked.drawers) as drawers:
            found = drawers.map(
                lambda i: measured(address, strokes[i * each : (i + 1) * each], "*", str(i)),
                range(asked.drawers),
            )
            told(f"both, {asked.drawers} drawers", [one for some in found for one in some])
        if asked.job:
            during(address, strokes)
        server.should_exit = True
        thread.join(10)


def pictures(network: Network, count: int) -> list[str]:
    """A line that grows, as `data:` links of the network's size."""
    height, width = network.input.size
    canvas, found = np.zeros((height, width), np.uint8), []
    made = np.random.default_rng(0)
    y, x = height / 2, width / 2
    for _ in range(count):
        y, x = np.clip(np.array([y, x]) + made.normal(0, 2, 2), 0, [height - 1, width - 1])
        canvas[int(y), int(x)] = 255
        buffer = io.BytesIO()
        Image.fromarray(canvas).save(buffer, format="PNG")
        found.append("data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode())
    return found


def changed(network: Network) -> dict[str, list[dict[str, object]]]:
    """Units of the layer in the middle that are changed, by what is told of it."""
    hidden = [layer for layer in network.default_layers if layer.name != network.logits.name]
    layer = hidden[len(hidden) // 2]
    units = [f"{layer.name}:{i}" for i in range(min(4, layer.units))]
    return {
        f"{layer.name}, 1 removed": [{"unit": units[0], "how": "remove"}],
        f"{layer.name}, {len(units)} kept": [{"unit": unit, "how": "keep"} for unit in units],
        f"{layer.name}, 1 raised": [{"unit": units[0], "how": "raise", "by": 2}],
    }


def during(address: str, strokes: list[str]) -> None:
    """The same while a job draws 50 pictures of a class at once, again and again."""
    jobs = address.replace("/read", "/jobs")
    asked = {"kind": "restarts", "options": {"unit": "0", "starts": 50, "steps": 100_000}}
    job = sent(jobs, asked)
    while sent(f"{jobs}/{job['id']}")["state"] == "waiting":
        time.sleep(0.05)
    found = measured(address, strokes[:100], "*", "one")
    ended = sent(f"{jobs}/{job['id']}")
    assert ended["state"] == "running", ended
    told("while a job runs", found)
    sent(f"{jobs}/{job['id']}", method="DELETE")
    while sent(f"{jobs}/{job['id']}")["state"] == "running":
        time.sleep(0.05)


def measured(
    address: str,
    strokes: list[str],
    unit: str,
    client: str,
    changes: Sequence[dict[str, object]] = (),
) -> list[float]:
    """Milliseconds of each."""
    found = []
    for picture in strokes:
        body = {"picture": picture, "unit": unit, "method": "gradient", "client": client}
        started = time.perf_counter()
        sent(address, body | {"changes": list(changes)} if changes else body)
        found.append(1000 * (time.perf_counter() - started))
    return found


def sent(address: str, body: dict[str, object] | None = None, method: str | None = None) -> Any:
    """What the server answers."""
    content = None if body is None else json.dumps(body).encode()
    head = {"content-type": "application/json"}
    request = urllib.request.Request(address, content, head, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def told(name: str, found: list[float]) -> None:
    middle, high, most = np.quantile(found, [0.5, 0.95, 1])
    print(f"{name:20} {middle:7.1f} {high:7.1f} {most:7.1f}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("atlas", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--weights")
    parser.add_argument("--strokes", type=int, default=500)
    parser.add_argument("--drawers", type=int, default=8)
    parser.add_argument("--job", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
