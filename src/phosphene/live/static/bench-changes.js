// Units that are removed, kept alone or raised while the bench answers; `bench.js` asks with them.

"use strict";

(() => {
  const by = (id) => document.getElementById(id);
  const list = by("changes");
  const HOW = { remove: "Remove", keep: "Keep alone", raise: "Raise" };
  const LAYER = (unit) => unit.slice(0, unit.lastIndexOf(":"));
  const MOST = 64;
  let changes = []; // { unit, how, by }
  const before = []; // what they were, for undo

  /** The bench asks anew, and its address follows. */
  const again = () => document.dispatchEvent(new CustomEvent("bench:changed"));

  /** Other changes than before, which can be undone. */
  function become(others, remembered = true) {
    if (remembered) before.push(changes);
    changes = others;
    show();
    again();
  }

  function change(unit, how) {
    const other = changes.filter((each) => each.unit !== unit);
    if (other.length === MOST) {
      by("changes-told").textContent = `At most ${MOST} units are changed at once.`;
      return;
    }
    become([...other, { unit, how, by: 2 }]);
  }

  function show() {
    list.replaceChildren(...changes.map(row));
    by("changes-undo").disabled = before.length === 0;
    by("changes-none").disabled = changes.length === 0;
    by("unchanged").hidden = changes.length === 0;
    if (!changes.length) by("changes-told").textContent = "";
    mark();
  }

  function row(each) {
    const item = document.createElement("li");
    const how = document.createElement("select");
    for (const [value, words] of Object.entries(HOW)) how.add(new Option(words, value));
    how.value = each.how;
    how.setAttribute("aria-label", `What becomes of ${each.unit}`);
    how.addEventListener("change", () => {
      become(changes.map((one) => (one === each ? { ...one, how: how.value } : one)));
    });
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = each.unit;
    const away = document.createElement("button");
    away.type = "button";
    away.textContent = "×";
    away.setAttribute("aria-label", `Leave ${each.unit} as it is`);
    away.addEventListener("click", () => become(changes.filter((one) => one !== each)));
    item.append(how, name, ...(each.how === "raise" ? slider(each) : []), away);
    return item;
  }

  function slider(each) {
    const range = document.createElement("input");
    Object.assign(range, { type: "range", min: 0, max: 10, step: 0.5, value: each.by });
    range.setAttribute("aria-label", `How many times as much ${each.unit} answers`);
    const told = document.createElement("output");
    told.textContent = `× ${each.by}`;
    let moving = false;
    range.addEventListener("input", () => {
      if (!moving) before.push(changes.map((one) => ({ ...one })));
      moving = true;
      each.by = Number(range.value);
      told.textContent = `× ${each.by}`;
      by("changes-undo").disabled = false;
      again();
    });
    range.addEventListener("change", () => (moving = false));
    return [range, told];
  }

  // ---- the tree of parts ------------------------------------------------------------------------

  let nodes = []; // [{ unit, element }]
  const bare = (unit) => unit.split("@")[0];

  /** All parts of a tree, parents before children, as they are drawn. */
  const walked = (part) => [part, ...part.parts.flatMap(walked)];

  function plant(tree) {
    const parts = walked(tree.root);
    const drawn = [...document.querySelectorAll("#tree svg g")];
    nodes = drawn.map((element, i) => ({ unit: bare(parts[i].unit), name: parts[i].name, element }));
    by("part").hidden = true;
    for (const node of nodes) {
      const link = node.element.closest("a");
      const target = link ?? node.element;
      if (!link) {
        target.setAttribute("tabindex", "0");
        target.setAttribute("role", "button");
      }
      target.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        pick(node, link);
      });
      target.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || event.ctrlKey) return;
        event.preventDefault();
        pick(node, link);
        by("part").querySelector("button").focus();
      });
    }
    mark();
  }

  function pick(node, link) {
    by("part").hidden = false;
    by("part").dataset.unit = node.unit;
    const other = bare(node.name) !== node.unit && node.name.includes(":");
    by("part-name").textContent = other ? `${node.name}, by ${node.unit}` : node.name;
    by("part-page").hidden = !link;
    if (link) by("part-page").setAttribute("href", link.getAttribute("href"));
    for (const each of nodes) each.element.classList.toggle("picked", each === node);
  }

  /** Show in the tree what is changed. */
  function mark() {
    const kept = new Set(changes.filter((one) => one.how === "keep").map((one) => LAYER(one.unit)));
    for (const { unit, element } of nodes) {
      const found = changes.find((one) => one.unit === unit)?.how;
      element.dataset.change = found ?? (kept.has(LAYER(unit)) ? "remove" : "");
    }
  }

  // ---- buttons ----------------------------------------------------------------------------------

  const colon = (unit) => unit && unit.includes(":");
  for (const button of document.querySelectorAll("[data-how]")) {
    button.addEventListener("click", () => {
      const unit = button.closest("#part")?.dataset.unit ?? by("told").dataset.unit;
      if (colon(unit)) change(bare(unit), button.dataset.how);
      else by("changes-told").textContent = "Name a unit or a class to change.";
    });
  }
  by("changes-undo").addEventListener("click", () => {
    if (before.length) become(before.pop(), false);
  });
  by("changes-none").addEventListener("click", () => become([]));

  /** As links have it: `remove conv2:3,raise conv2:4 2.5`. */
  const written = () =>
    changes
      .map((one) => `${one.how} ${encodeURIComponent(one.unit)}${one.how === "raise" ? ` ${one.by}` : ""}`)
      .join(",");

  function plain(text) {
    try {
      return decodeURIComponent(text ?? "");
    } catch {
      return "";
    }
  }

  function read(text) {
    const found = new Map();
    for (const part of (text ?? "").split(",").slice(0, MOST)) {
      const [how, unit, times = "2"] = part.split(" ");
      const given = { unit: plain(unit), how, by: Number(times) };
      if (Object.hasOwn(HOW, how) && colon(given.unit) && given.by >= 0 && given.by <= 100) {
        found.set(given.unit, given);
      }
    }
    changes = [...found.values()];
    show();
  }

  globalThis.phosphene = {
    ...globalThis.phosphene,
    changes: {
      asked: () => (changes.length ? { changes, baseline: by("changes-over").value } : {}),
      tell(absent) {
        const told = absent ? `Removed units have their ${absent}.` : "";
        by("changes-told").textContent = absent === "zero" ? "Removed units are zero." : told;
      },
      plant,
      written,
      read,
    },
  };
  by("changes-over").addEventListener("change", again);
  show();
})();
