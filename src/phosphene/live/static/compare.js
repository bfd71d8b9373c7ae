// Two networks beside each other: a picture that fools one tried on both, units matched to units.
// It stands on the bench's script, whose picture it sends.

"use strict";

(() => {
  const both = $("both");
  $("beside").addEventListener("change", () => {
    location.href = `/${setting.name}/compare?with=${encodeURIComponent($("beside").value)}#${fragment(true)}`;
  });
  if (!both) return;
  const other = both.dataset.other;
  const PAGE = 24; // pairs shown at a time

  // ---- fooling ---------------------------------------------------------------------------------

  function picture(id, src) {
    const image = new Image();
    image.src = src;
    image.alt = $(id).dataset.alt;
    image.style.imageRendering = Math.max(width, height) <= 64 ? "pixelated" : "auto";
    $(id).replaceChildren(image);
  }

  function tellSide(id, seen) {
    const was = seen.before[0];
    $(`${id}-was`).textContent = was ? `It read ${was.name}, ${percent(was.share)}, and now:` : seen.unread;
    tellBars($(id), seen.after, () => {});
    for (const button of $(id).querySelectorAll("button")) button.disabled = true;
  }

  $("fool")?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const goal = $("fool-goal").value.trim();
    const answer = await post("fool", { unit: goal, other }, $("fool-told"));
    $("fooled").hidden = !answer;
    if (!answer) return;
    $("fool-told").textContent = answer.words;
    picture("fool-original", answer.original);
    picture("fool-change", answer.change);
    picture("fool-changed", answer.changed);
    tellSide("fool-one", answer.one);
    tellSide("fool-two", answer.two);
  });

  // ---- units matched ---------------------------------------------------------------------------

  const names = [setting.name, other];
  let found = null; // the pairs, whose they are, how many are shown
  let asked = 0;

  /** The same layer of both, where both have one of that name. */
  $("match-layer").addEventListener("change", () => {
    const layer = $("match-layer").value;
    if ([...$("match-other").options].some((each) => each.value === layer)) $("match-other").value = layer;
  });

  $("match").addEventListener("submit", async (event) => {
    event.preventDefault();
    const run = ++asked;
    const layers = [$("match-layer").value, $("match-other").value];
    $("pairs").replaceChildren();
    $("match-by").textContent = "";
    $("pairs-more").hidden = true;
    $("match-told").textContent = "Matching …";
    found = null;
    try {
      const response = await fetch(`/api/${setting.name}/match`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          other, layer: layers[0], other_layer: layers[1],
          pictures: Number($("match-pictures").value), client: `${client}-match`,
        }),
      });
      const answer = await response.json();
      if (run !== asked) return;
      $("match-told").textContent = response.ok ? answer.words : answer.detail;
      if (!response.ok) return;
      $("match-by").textContent = `By ${answer.by}. ${answer.chance.words}`;
      found = { layers, pairs: answer.pairs, line: answer.chance.line, shown: 0 };
      await more();
    } catch {
      $("match-told").textContent = reader.lost;
    }
  });
  $("pairs-more").addEventListener("click", async () => {
    const before = $("pairs").children.length;
    $("pairs-more").disabled = true; // or two clicks would bring the same ones twice
    try {
      await more();
    } catch {
      $("match-told").textContent = reader.lost;
    }
    $("pairs-more").disabled = false;
    $("pairs").children[before]?.querySelector("a")?.focus();
  });

  async function more() {
    const shown = found;
    const some = shown.pairs.slice(shown.shown, shown.shown + PAGE);
    const units = [some.map((pair) => pair.unit), some.map((pair) => pair.other)];
    const looks = await Promise.all(units.map((each, i) => glances(names[i], shown.layers[i], each)));
    if (found !== shown) return;
    shown.shown += some.length;
    for (const pair of some) {
      const line = !pair.above && !$("pairs").querySelector(".line");
      if (line) $("pairs").append(nullLine(shown.line));
      $("pairs").append(row(pair, looks, shown.layers));
    }
    $("pairs-more").hidden = shown.shown >= shown.pairs.length;
    $("pairs-more").textContent = `More pairs, of ${shown.pairs.length - shown.shown}`;
  }

  /** Units by their numbers; none where the atlas does not tell. */
  async function glances(name, layer, units) {
    if (!units.length) return new Map();
    const query = units.map((unit) => `unit=${unit}`).join("&");
    const response = await fetch(`/api/${name}/glances/${encodeURIComponent(layer)}?${query}`);
    return new Map(response.ok ? (await response.json()).map((each) => [each.unit, each]) : []);
  }

  function nullLine(words) {
    const line = document.createElement("li");
    line.className = "line";
    line.textContent = words;
    return line;
  }

  function row(pair, looks, layers) {
    const item = document.createElement("li");
    item.className = `pair${pair.above ? "" : " chance"}`;
    const value = document.createElement("div");
    value.className = "value";
    const number = document.createElement("b");
    number.textContent = pair.told;
    const gauge = document.createElement("span");
    gauge.className = "gauge";
    const share = document.createElement("i");
    share.style.transform = `scaleX(${Math.max(0, pair.correlation)})`;
    gauge.append(share);
    value.append(number, gauge);
    item.append(
      unit(looks[0].get(pair.unit), layers[0], pair.unit), value,
      unit(looks[1].get(pair.other), layers[1], pair.other),
    );
    return item;
  }

  function unit(look, layer, number) {
    const part = document.createElement("div");
    part.className = "unit";
    const images = document.createElement("div");
    images.className = "images";
    for (const [src, what] of [[look?.drawn, "Synthetic picture"], [look?.real, "Strongest real patch"]]) {
      if (!src) continue;
      const image = document.createElement("img");
      image.src = src;
      image.alt = `${what} of ${layer}:${number}`;
      image.addEventListener("load", () => image.classList.add(image.naturalWidth > 64 ? "large" : "pixels"));
      images.append(image);
    }
    if (!images.children.length) images.textContent = "no picture";
    const name = document.createElement(look?.page ? "a" : "span");
    if (look?.page) name.href = look.page;
    name.textContent = `${layer}:${number}`;
    part.append(images, name);
    if (look && !look.name.endsWith(String(number))) part.append(` ${look.name}`); // a class's
    return part;
  }
})();
