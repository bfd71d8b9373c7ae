/* phosphene: search, sorting, filters and keys, for pages that are whole without them. One classic script, as
   modules do not load from a disk. It makes what it needs: no page holds a control that waits for it. */
(() => {
"use strict";
const INDEX = document.currentScript.dataset.index;
const MOST = 12;

const make = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
};
const figure = (value) => `${+value.toPrecision(3)}`.replace("-", "−");
const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/* The index: columns as units, once. */
let entries = null;
function unpacked(index) {
  const labels = index.labels.length ? index.labels : index.outputs;
  const called = (names, i) => names[i] ?? String(i);
  const units = [], layers = [];
  index.layers.forEach((layer) => {
    const silent = new Set(layer.silent), twins = new Map(layer.twins);
    layers.push({ ...layer, low: layer.name.toLowerCase() });
    for (let i = 0; i < layer.count; i++) {
      const unit = layer.shown ? layer.shown[i] : i;
      const label = silent.has(unit) ? null : layer.prefers[i] ?? null;
      const output = layer.noun ? null : called(index.outputs, unit);
      units.push({
        layer: layer.name, low: layer.name.toLowerCase(), unit, number: String(unit),
        page: layer.unit[0] + unit + layer.unit[1],
        name: output === null ? `${layer.noun} ${unit}` : `class ${output}`,
        output: output?.toLowerCase(), silent: silent.has(unit), twin: twins.get(unit) ?? null,
        prefers: label === null ? null : called(labels, label),
        label: label === null ? null : called(labels, label).toLowerCase(),
        selectivity: layer.selectivity[i] ?? null,
      });
    }
  });
  return { units, layers, probes: index.probes };
}

/* A query is words; each must say something true of what is found. */
const STOP = new Set(["for", "of", "the", "a", "unit", "units", "class", "channel", "most", "with"]);
const FLAGS = { silent: ["dead", "silent", "fires", "fire", "never"], twin: ["twin", "twins", "duplicate", "near-duplicate"], selective: ["selective", "selectivity", "prefers", "prefer"] };
const flagged = (word, loose) => Object.keys(FLAGS).find((flag) =>
  FLAGS[flag].some((name) => name === word || (loose && word.length > 2 && name.startsWith(word))));
/* How well a word fits a name: whole, the beginning of one of its words, or anywhere in it. */
const fit = (name, word) => name === word ? 3 : name.startsWith(word) || name.includes(` ${word}`) ? 2 : name.includes(word) && word.length > 1 ? 1 : 0;

function asked(query, loose) {
  const all = query.toLowerCase().trim().split(/[\s,]+|:(?=\d|$)/).filter(Boolean);
  const flags = new Set(all.map((word) => flagged(word, loose)).filter(Boolean));
  const rest = all.filter((word) => !flagged(word, loose));
  const telling = rest.filter((word) => !STOP.has(word));
  return { flags, words: telling.length || flags.size ? telling : rest };
}

function rated(unit, { flags, words }) {
  const matched = new Set();
  let score = 0;
  if (flags.has("silent")) { if (!unit.silent) return null; matched.add("silent"); score += 60; }
  if (flags.has("twin")) { if (unit.twin === null) return null; matched.add("twin"); score += 60; }
  const selective = flags.has("selective");
  if (selective) { if (unit.output !== undefined || unit.label === null || unit.selectivity === null) return null; matched.add("prefers"); score += 100 * unit.selectivity; }
  for (const word of words) {
    const found = [
      ["layer", 30 * fit(unit.low, word)],
      ["prefers", unit.label === null ? 0 : (selective ? 100 : 15) * fit(unit.label, word) + (fit(unit.label, word) && 15 * (unit.selectivity ?? 0))],
    ];
    if (!selective) found.push(["name", unit.number === word ? 100 : 0], ["name", unit.output === undefined ? 0 : 45 * fit(unit.output, word)]);
    const [what, worth] = found.reduce((best, each) => (each[1] > best[1] ? each : best));
    if (!worth) return null;
    matched.add(what);
    score += worth;
  }
  return { score, matched };
}

function found(query) {
  for (const loose of [false, true]) {
    const wanted = asked(query, loose);
    if (!wanted.words.length && !wanted.flags.size) return [];
    const list = [...layersFound(wanted), ...unitsFound(wanted), ...probesFound(wanted)];
    if (list.length) return list.sort((a, b) => b.score - a.score).slice(0, MOST);
  }
  return [];
}

function unitsFound(wanted) {
  return entries.units.flatMap((unit) => {
    const rating = rated(unit, wanted);
    if (rating === null) return [];
    const told = [];
    if (unit.silent) told.push(["never fires", "silent"]);
    if (unit.twin !== null) told.push([`twin of ${unit.twin}`, "twin"]);
    if (unit.prefers !== null && unit.output === undefined) told.push([`prefers ${unit.prefers}${unit.selectivity === null ? "" : `, selectivity ${figure(unit.selectivity)}`}`, "prefers"]);
    return [{ of: unit.layer, name: unit.name, page: unit.page, told, ...rating }];
  });
}

function layersFound({ flags, words }) {
  if (flags.has("selective")) return [];
  return entries.layers.flatMap((layer) => {
    const fits = words.map((word) => fit(layer.low, word));
    if (fits.some((each) => each < (flags.size ? 1 : 2))) return [];
    const score = 150 + 100 * fits.reduce((sum, each) => sum + each, 0);
    const shows = [];
    if (flags.has("silent")) shows.push(["silent", layer.silent.length, `${layer.silent.length} never fire${layer.silent.length === 1 ? "s" : ""}`]);
    if (flags.has("twin")) shows.push(["twins", layer.twins.length, `${layer.twins.length} with a twin`]);
    if (shows.some(([, count]) => !count)) return [];
    const page = layer.page + (shows.length ? `#show=${shows.map(([show]) => show).join(",")}` : "");
    const told = shows.length ? shows.map(([, , words]) => [words, "shows"]) : [[layer.told, ""]];
    return [{ of: "", name: layer.name, page, told, score, matched: new Set(words.length ? ["name", "shows"] : ["shows"]) }];
  });
}

function probesFound({ flags, words }) {
  if (flags.size) return [];
  return entries.probes.flatMap(([title, page]) => {
    const fits = words.map((word) => fit(title.toLowerCase(), word));
    return fits.every(Boolean) ? [{ of: "", name: title, page, told: [["probe", ""]], score: 20 * fits.length, matched: new Set(["name"]) }] : [];
  });
}

/* The search box: a combobox whose list are links. */
const find = document.getElementById("find");
const input = make("input", {
  type: "search", id: "search", role: "combobox", placeholder: "Search units", autocomplete: "off", spellcheck: "false", autocapitalize: "off", enterkeyhint: "go",
  "aria-label": "Search units, layers and classes", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": "results", "aria-keyshortcuts": "/",
});
const results = make("div", { id: "results", role: "listbox", "aria-label": "Found", hidden: true });
const counted = make("p", { class: "unseen", role: "status" });
const nothing = make("p", { class: "note nothing", hidden: true });
let active = -1, failed = false;

function load() {
  if (entries || load.begun) return;
  load.begun = true;
  const script = make("script", { src: INDEX });
  script.addEventListener("load", () => { entries = unpacked(globalThis.phospheneIndex); search(); });
  script.addEventListener("error", () => { failed = true; load.begun = false; script.remove(); search(); });
  document.head.append(script);
}

function shownResult(item, i) {
  const title = make("span", { class: "title" });
  if (item.of) title.append(make("span", { class: "of" }, item.matched.has("layer") ? make("mark", {}, item.of) : item.of), " ");
  title.append(item.matched.has("name") ? make("mark", {}, item.name) : item.name);
  const told = make("span", { class: "told" });
  item.told.forEach(([words, what], j) => told.append(j ? " · " : "", item.matched.has(what) ? make("mark", {}, words) : words));
  return make("a", { role: "option", id: `result-${i}`, href: item.page, tabindex: "-1", "aria-selected": "false" }, title, told);
}

function search() {
  const query = input.value.trim();
  const list = entries && query ? found(query) : [];
  results.replaceChildren(...list.map(shownResult));
  const waiting = query && !entries;
  nothing.textContent = failed && !entries ? "The index of the units could not be read." : waiting ? "Reading the index …"
    : 'Nothing found. Try an address such as “conv2:17”, a class, a layer, “dead”, “twin”, “selective for” a class.';
  nothing.hidden = !query || list.length > 0;
  counted.textContent = entries && query ? `${plural(list.length, "result")}` : "";
  expand(list.length > 0);
}

function expand(open) {
  results.hidden = !open;
  input.setAttribute("aria-expanded", String(open));
  select(-1);
}

function select(i) {
  results.children[active]?.setAttribute("aria-selected", "false");
  active = i;
  const option = results.children[i];
  if (!option) return input.removeAttribute("aria-activedescendant");
  option.setAttribute("aria-selected", "true");
  option.scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", option.id);
}

function close() {
  expand(false);
  nothing.hidden = true;
}

function searchKeys(event) {
  const count = results.hidden ? 0 : results.children.length;
  if (event.isComposing) return;
  if (event.key === "Escape") {
    event.preventDefault();
    if (results.hidden && nothing.hidden) { input.value = ""; input.blur(); }
    close();
  } else if (event.key === "Enter" && count) {
    event.preventDefault();
    results.children[Math.max(active, 0)].click();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (!count) return search();
    const step = event.key === "ArrowDown" ? 1 : -1;
    select(active < 0 && step < 0 ? count - 1 : (active + step + count) % count);
  }
}

if (find) {
  const box = make("search", { class: "box" }, input, results, nothing, counted);
  const help = make("button", { type: "button", class: "help", "aria-label": "Keys and search, explained", title: "Keys (?)" }, "?");
  find.append(box, help);
  input.addEventListener("focus", () => { load(); if (input.value) search(); });
  input.addEventListener("input", () => { load(); search(); });
  input.addEventListener("keydown", searchKeys);
  box.addEventListener("focusout", (event) => { if (!box.contains(event.relatedTarget)) close(); });
  results.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus
  results.addEventListener("click", () => close());
  help.addEventListener("click", () => explain());
}

/* A layer's page: its units sorted and filtered, as the address says. */
const SORTS = {
  unit: ["number", 1, null],
  rate: ["firing rate", -1, (v) => `fires for ${figure(100 * v)} % of the images`],
  selectivity: ["selectivity", -1, null], // a card says these two anyway
  share: ["picture beside the real patch", -1, null],
  edge: ["strongest edge", -1, (v) => `strongest edge ${figure(v)}`],
};
const SHOWS = { silent: "never fires", twin: "has a twin", picture: "has a picture" };
const IN_ADDRESS = { silent: "silent", twin: "twins", picture: "picture" };

function sifted(place, grid) {
  const cards = [...grid.querySelectorAll(":scope > .unit")];
  const sorts = Object.keys(SORTS).filter((key) => key === "unit" || cards.filter((card) => key in card.dataset).length > 1);
  const splits = (count) => count > 0 && count < cards.length;
  const having = (show) => cards.filter((card) => show in card.dataset).length;
  const classes = new Map();
  for (const { dataset } of cards) {
    if (!("class" in dataset)) continue;
    const known = classes.get(dataset.class) ?? { name: dataset.label, count: 0 };
    known.count++;
    classes.set(dataset.class, known);
  }

  const sort = make("select", { "aria-label": "Sort by" }, ...sorts.map((key) => make("option", { value: key }, SORTS[key][0])));
  const reverse = make("button", { type: "button", class: "chip", "aria-pressed": "false" }, "reversed");
  const chips = Object.keys(SHOWS).filter((show) => splits(having(show))).map((show) => {
    const chip = make("button", { type: "button", class: "chip", "aria-pressed": "false" }, SHOWS[show], make("span", { class: "count" }, ` ${having(show)}`));
    chip.addEventListener("click", () => { state.show.has(show) ? state.show.delete(show) : state.show.add(show); go(); });
    return [show, chip];
  });
  const named = [...classes].sort((a, b) => a[0] - b[0]);
  const prefers = make("select", { "aria-label": "Prefers class" }, make("option", { value: "" }, "any class"),
    ...named.map(([number, { name, count }]) => make("option", { value: number }, `${name} (${count})`)));
  const all = make("button", { type: "button", class: "chip", hidden: true }, "Show all");
  const told = make("p", { class: "note shown", role: "status" });
  let state = read();

  function read() {
    const given = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
    const shows = (given.get("show") ?? "").split(",");
    return {
      sort: sorts.includes(given.get("sort")) ? given.get("sort") : "unit",
      reverse: given.has("reverse"),
      show: new Set(Object.keys(SHOWS).filter((show) => shows.includes(IN_ADDRESS[show]))),
      class: given.get("class") ?? "",
    };
  }
  function written() {
    const shows = [...state.show].map((show) => IN_ADDRESS[show]);
    return [
      state.sort !== "unit" && `sort=${state.sort}`, state.reverse && "reverse=",
      shows.length && `show=${shows.join(",")}`, state.class && `class=${encodeURIComponent(state.class)}`,
    ].filter(Boolean).join("&");
  }
  function go() {
    history.pushState(null, "", `#${written() || "all"}`);
    apply();
  }
  function order() {
    const [, way, words] = SORTS[state.sort];
    const turned = state.reverse ? -way : way;
    const value = (card) => (state.sort in card.dataset ? Number(card.dataset[state.sort]) : null);
    const sortedCards = [...cards].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === null || y === null) return (x === null) - (y === null) || a.dataset.unit - b.dataset.unit;
      return turned * (x - y) || a.dataset.unit - b.dataset.unit;
    });
    for (const card of cards) {
      if (words && value(card) !== null) card.dataset.by = words(value(card));
      else delete card.dataset.by;
    }
    if (sortedCards.some((card, i) => card !== grid.children[i])) grid.append(...sortedCards);
  }
  function apply() {
    order();
    let count = 0;
    for (const card of cards) {
      const fits = [...state.show].every((show) => show in card.dataset) && (!state.class || card.dataset.class === state.class);
      card.hidden = !fits;
      count += fits;
    }
    sort.value = state.sort;
    prefers.value = classes.has(state.class) ? state.class : "";
    reverse.setAttribute("aria-pressed", String(state.reverse));
    chips.forEach(([show, chip]) => chip.setAttribute("aria-pressed", String(state.show.has(show))));
    all.hidden = count === cards.length;
    told.textContent = count === cards.length ? `${plural(count, "unit")}` : `${count} of ${plural(cards.length, "unit")} ${count === 1 ? "is" : "are"} shown`;
  }

  sort.addEventListener("change", () => { state.sort = sort.value; go(); });
  prefers.addEventListener("change", () => { state.class = prefers.value; go(); });
  reverse.addEventListener("click", () => { state.reverse = !state.reverse; go(); });
  all.addEventListener("click", () => { state.show.clear(); state.class = ""; go(); sort.focus(); });
  const again = () => { state = read(); apply(); };
  addEventListener("popstate", again);
  let followed = false; // a link, rather than the way back, where the browser knows the place
  addEventListener("click", (event) => { followed = Boolean(event.target.closest('a[href*="#"]')); });
  addEventListener("hashchange", () => {
    again();
    if (followed && location.hash.includes("=")) place.scrollIntoView();
    followed = false;
  });
  if (cards.length > 1) {
    place.append(make("div", { class: "controls", role: "group", "aria-label": "Sort and filter the units" },
      make("label", {}, "Sort by ", sort), reverse, ...chips.map(([, chip]) => chip),
      ...(classes.size > 1 ? [make("label", {}, "prefers ", prefers)] : []), all), told);
    apply();
    const [opened] = performance.getEntriesByType("navigation");
    if (written() && opened?.type === "navigate") place.scrollIntoView();
  }
}

const place = document.getElementById("sift"), grid = document.querySelector(".units");
if (place && grid) sifted(place, grid);

/* Keys, never while something is typed. */
const KEYS = [
  ["/", "search"], ["← →", "the unit or layer before and after"], ["o", "the overview"], ["?", "this help"], ["Esc", "close what is open"],
];
const QUERIES = [
  ["conv2:17", "a unit by its address"], ["conv2", "a layer, and its units"], ["7", "a class by its name, a unit by its number"],
  ["selective for 7", "units that prefer a class, the most selective first"], ["dead", "units that never fire"], ["conv2 twin", "units of a layer with a near-duplicate"],
];
let dialog = null;
function explain() {
  if (!dialog) {
    const list = (rows) => make("dl", { class: "keys" }, ...rows.flatMap(([key, words]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, words)]));
    const done = make("button", { type: "button", class: "chip" }, "Close");
    done.addEventListener("click", () => dialog.close());
    dialog = make("dialog", { class: "explained", "aria-labelledby": "keys-title" },
      make("h2", { id: "keys-title" }, "Keys"), list(KEYS), make("h2", {}, "What can be searched"), list(QUERIES), done);
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    document.body.append(dialog);
  }
  if (!dialog.open) dialog.showModal();
}

const TYPING = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable], dialog";
const SCROLLING = ".scroll, .wide, canvas, video, [role=toolbar], [role=slider], [role=listbox]";
addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const at = event.target instanceof Element ? event.target : document.body;
  if (at.closest(TYPING) || document.querySelector("dialog[open]")) return;
  if (event.key === "/" && find) {
    event.preventDefault();
    input.focus();
    input.select();
  } else if (event.key === "?") {
    event.preventDefault();
    explain();
  } else if (event.key === "o") {
    document.querySelector("a.mark[href]")?.click();
  } else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && !event.shiftKey && !at.closest(SCROLLING)) {
    document.querySelector(`a[rel=${event.key === "ArrowLeft" ? "prev" : "next"}][href]`)?.click();
  }
});
})();
