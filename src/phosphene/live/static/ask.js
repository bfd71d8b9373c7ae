// Puts questions, and shows how far their answers are.
"use strict";
(() => {
  const name = document.getElementById("ask").dataset.name;
  const list = document.getElementById("jobs"), said = document.getElementById("said");
  const address = `/api/${name}/jobs`, rows = new Map(), states = new Map();
  let timer = 0;

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
    title.textContent = job.title;
    bar.setAttribute("aria-label", job.title);
    cancel.type = "button";
    cancel.textContent = "Cancel";
    cancel.setAttribute("aria-label", `Cancel ${job.title}`);
    cancel.addEventListener("click", () => call(`${address}/${job.id}`, { method: "DELETE" }).then(look, wrong));
    row.append(title, bar, words, " ", cancel);
    list.prepend(row);
    rows.set(job.id, { row, title, bar, words, cancel });
  }

  function show(job) {
    if (!rows.has(job.id)) made(job);
    const { row, title, bar, words, cancel } = rows.get(job.id);
    const open = job.state === "waiting" || job.state === "running";
    row.dataset.state = job.state;
    if (job.address) title.href = job.address;
    bar.hidden = job.state !== "running";
    if (job.total) { bar.max = job.total; bar.value = job.done; } else bar.removeAttribute("value");
    words.textContent = ` ${job.state}${job.state === "running" && job.words ? `: ${job.words}` : ""}${job.error ? `: ${job.error}` : ""}`;
    cancel.hidden = !open;
    if (states.get(job.id) !== job.state) say(`${job.title}: ${job.state}${job.error ? `: ${job.error}` : ""}`);
    states.set(job.id, job.state);
    return open;
  }

  function wrong(error) { say(error.message); }

  async function look() {
    clearTimeout(timer);
    try {
      const open = (await call(address)).map(show);
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
      call(address, {
        method: "POST", headers: { "content-type": "application/json" },
        body: JSON.stringify({ kind: form.dataset.kind, options }),
      }).then((job) => { show(job); return look(); }).catch(wrong);
    });
  }
  look();
})();
