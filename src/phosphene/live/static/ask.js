// Puts questions, and shows how far their answers are.
"use strict";
(() => {
  const name = document.getElementById("ask").dataset.name;
  const list = document.getElementById("jobs"), said = document.getElementById("said");
  const address = `/api/${name}/jobs`, rows = new Map(), states = new Map();
  const DRAWING = "drawing", KEPT = "phosphene drawing", MOST_LINK = 6_000_000;
  const by = (id) => document.getElementById(id);
  let timer = 0, drawing = "";

  const PICTURE = ["image", "file"]; // kinds of fields
  const say = (words) => { if (said.textContent !== words) said.textContent = words; };

  async function call(where, how) {
    const answer = await fetch(where, how);
    const told = (answer.headers.get("content-type") || "").includes("json") ? await answer.json() : { detail: await answer.text() };
    if (!answer.ok) throw new Error(told.detail);
    return told;
  }

  function made(job) {
    const row = document.createElement("li"), title = document.createElement("a");
    const bar = document.createElement("progress"), words = document.createElement("span");
    const cancel = document.createElement("button");
    const settled = Object.entries(job.options).filter(([, value]) => value !== null && value !== "");
    const told = settled.map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ");
    title.textContent = told ? `${job.title} (${told})` : job.title;
    bar.setAttribute("aria-label", job.title);
    cancel.type = "button";
    cancel.textContent = "Cancel";
    cancel.setAttribute("aria-label", `Cancel ${job.title}`);
    cancel.addEventListener("click", () => call(`${address}/${job.id}`, { method: "DELETE" }).then(look, wrong));
    const again = document.createElement("button"), files = document.createElement("span");
    again.type = "button";
    again.textContent = "Ask again";
    again.setAttribute("aria-label", `Ask again: ${job.title}`);
    again.addEventListener("click", () => put(job.kind, job.options));
    row.append(title, bar, words, " ", files, " ", cancel, again);
    list.prepend(row);
    rows.set(job.id, { row, title, bar, words, cancel, again, files });
  }

  function show(job) {
    if (!rows.has(job.id)) made(job);
    const { row, title, bar, words, cancel, again, files } = rows.get(job.id);
    const open = job.state === "waiting" || job.state === "running";
    row.dataset.state = job.state;
    if (job.address) title.href = job.address;
    bar.hidden = job.state !== "running";
    if (job.total) { bar.max = job.total; bar.value = job.done; } else bar.removeAttribute("value");
    words.textContent = ` ${job.state}${job.state === "running" && job.words ? `: ${job.words}` : ""}${job.error ? `: ${job.error}` : ""}`;
    if (job.remarks.length) words.textContent += `. ${job.remarks.join(" ")}`;
    cancel.hidden = !open;
    again.hidden = open || job.state === "finished";
    files.replaceChildren(...job.files.map(link));
    if (states.get(job.id) !== job.state) say(`${job.title}: ${job.state}${job.error ? `: ${job.error}` : ""}`);
    states.set(job.id, job.state);
    return open;
  }

  /** A file that a job left. */
  function link(address) {
    const found = document.createElement("a");
    found.href = address;
    found.download = found.textContent = decodeURIComponent(address.split("/").pop());
    return found;
  }

  function wrong(error) { say(error.message); }

  function put(kind, options) {
    return call(address, {
      method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ kind, options }),
    }).then((job) => {
      show(job);
      rows.get(job.id).row.scrollIntoView({ block: "center" });
      return look();
    }).catch((error) => { wrong(error); said.scrollIntoView({ block: "center" }); });
  }

  async function look() {
    clearTimeout(timer);
    try {
      const jobs = await call(address), there = new Set(jobs.map((job) => job.id));
      for (const [id, { row }] of rows) if (!there.has(id)) { row.remove(); rows.delete(id); states.delete(id); }
      const open = jobs.map(show);
      if (open.some(Boolean)) timer = setTimeout(look, 500);
    } catch (error) {
      wrong(error);
      timer = setTimeout(look, 3000);
    }
  }

  function value(field) {
    if (field.type === "checkbox") return field.checked;
    const text = field.value.trim();
    if (text === "") return null;
    if (PICTURE.includes(field.dataset.kind) && text === DRAWING && drawing) return drawing;
    if (field.dataset.kind === "texts") return text.split("\n").map((one) => one.trim()).filter(Boolean);
    if (field.type === "number") return Number(text);
    return field.dataset.many ? text.split(",").map((one) => one.trim()).filter(Boolean) : text;
  }

  for (const form of document.querySelectorAll("form[data-kind]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const options = {};
      for (const field of form.elements) {
        const given = field.name ? value(field) : null;
        if (given !== null) options[field.name] = given;
      }
      put(form.dataset.kind, options);
    });
  }

  // ---- a picture, and a unit, to ask about ------------------------------------------------------

  function take(picture) {
    drawing = picture;
    by("drawing").hidden = by("without").hidden = !drawing;
    if (drawing) by("drawn").src = drawing;
    for (const field of document.querySelectorAll("form[data-kind] input[data-kind=image][required]")) {
      if (drawing && !field.value) field.value = DRAWING;
      if (!drawing && field.value === DRAWING) field.value = "";
    }
    by("picture-said").textContent = "";
  }

  function keep(picture) {
    try { sessionStorage.setItem(KEPT, picture); } catch { /* it is there until the page is left */ }
    take(picture);
  }

  by("open").addEventListener("click", () => by("file").click());
  by("file").addEventListener("change", () => {
    const [file] = by("file").files;
    by("file").value = "";
    if (!file) return;
    const reader = new FileReader();
    reader.addEventListener("load", () => {
      if (reader.result.length > MOST_LINK) by("picture-said").textContent = "This picture is too large; send a smaller one.";
      else keep(reader.result);
    });
    reader.readAsDataURL(file);
  });
  by("without").addEventListener("click", () => keep(""));

  /** `#unit=conv2:17` fills in the fields for a unit, and leads to the questions that have one;
   *  `#layers=conv1` fills in the layer that is to be added. */
  function fill() {
    const asked = new URLSearchParams(location.hash.slice(1)), unit = asked.get("unit");
    if (asked.get("layers") && by("layers-layers")) {
      by("layers-layers").value = asked.get("layers");
      by("more-layers").open = true;
      by("more-layers").scrollIntoView();
    }
    by("about").hidden = !unit;
    if (!unit) return;
    const links = new Map();
    for (const field of document.querySelectorAll("form[data-kind] input[data-kind=unit], form[data-kind] input[data-kind=units]")) {
      const question = field.closest("details"), kind = field.form.dataset.kind;
      field.value = unit;
      const link = document.createElement("button");
      link.type = "button";
      link.textContent = kind;
      link.addEventListener("click", () => { question.open = true; question.scrollIntoView(); field.focus(); });
      if (!links.has(kind)) links.set(kind, [link, " "]);
    }
    by("about").replaceChildren(`About ${unit}: `, ...[...links.values()].flat());
  }

  let before = "";
  try { before = sessionStorage.getItem(KEPT) || ""; } catch { /* a browser that keeps nothing */ }
  if (before.startsWith("data:image/")) take(before);
  addEventListener("hashchange", fill);
  fill();
  look();
})();
