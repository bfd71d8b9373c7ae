"""Every page of an atlas, as a server gives it out."""

import json
import re
from functools import partial

import pytest
from fastapi.testclient import TestClient

from phosphene.atlas import Atlas
from phosphene.figures.ink.tile import Tile
from phosphene.live.exhibits import Exhibit
from phosphene.live.served import Images

LINK = re.compile(r'(?:href|src)="(/[^"#?]*)')


def test_every_link_of_every_page_leads_somewhere(client: TestClient) -> None:
    seen, left = set(), ["/net/"]
    while left:
        path = left.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code == 200, path
        if answer.headers["content-type"].startswith("text/html"):
            left += LINK.findall(answer.text)
    assert {"/net/", "/net/bench", "/assets/style.css", "/assets/bench.js"} <= seen
    assert "/assets/site.js" in seen
    for kind in ("layer", "unit", "probe", "numbers"):
        assert any(path.startswith(f"/net/{kind}/") for path in seen), kind


@pytest.mark.later
def test_what_is_searched_in_leads_to_pages_of_the_server(client: TestClient) -> None:
    assert 'data-index="/net/search.js"' in client.get("/net/").text
    answer = client.get("/net/search.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    index = json.loads(answer.text.partition("=")[2].rstrip(";\n"))
    for layer in index["layers"]:
        number = (layer["shown"] or [0])[0]
        for path in (layer["page"], f"{layer['unit'][0]}{number}{layer['unit'][1]}"):
            assert client.get(path).status_code == 200, path
    assert index["layers"]
    assert client.get("/none/search.js").status_code == 404


def test_the_root_leads_to_the_first_atlas(client: TestClient) -> None:
    answer = client.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/net/")


@pytest.mark.parametrize(
    "path",
    [
        *("/other/", "/net/layer/none", "/net/unit/none/0", "/net/probe/none"),
        *("/assets/other.js", "/assets/..%2f..%2fapi.py", "/images/0.png", "/net/../../etc/passwd"),
        *("/net/numbers/none.json", "/net/unit/conv/99999999"),
    ],
)
def test_what_there_is_not_is_404(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["detail"]


def test_the_overview_names_every_layer(client: TestClient, exhibit: Exhibit) -> None:
    overview = client.get("/net/").text
    with Atlas.open(exhibit.path) as atlas:
        layers = [layer.name for layer in atlas.layers()]
    assert all(layer in overview for layer in layers)


def test_images_that_are_too_many_go_oldest_first() -> None:
    images, some = Images(most=10), partial(Tile, width=1, height=1)
    first, second = images.put(some(b"12345")), images.put(some(b"67890"))
    assert images.put(some(b"12345")) == first  # seen again: younger than the second
    third = images.put(some(b"abcde"))
    assert [images.get(name) for name in (first, second, third)] == [b"12345", None, b"abcde"]
