// The bench: a picture that is drawn, brought or moved, and what the network answers to it.

"use strict";

const $ = (id) => document.getElementById(id);
const setting = JSON.parse($("bench").dataset.setting);
const { width, height, channels } = setting;
// A power of two, so that halving averages exactly what belongs to a pixel.
const SCALE = 2 ** Math.max(0, Math.round(Math.log2(448 / Math.max(width, height))));
const STEPS = 40; // of undo
const LONGEST_LINK = 6000;
const client = crypto.randomUUID ? crypto.randomUUID() : String(Math.random());

/** Who answers: a server, unless the page has brought what does (`bench-mailed.js`). */
const reader = globalThis.phosphene?.reader ?? {
  ask: (what, asked) =>
    fetch(`/api/${setting.name}/${what}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(asked),
    }),
  image: (number) => fetch(`/api/${setting.name}/images/${number}`),
  page: (layer, unit) => `/${setting.name}/unit/${encodeURIComponent(layer)}/${unit}`,
  lost: "the server does not answer; is `phosphene view` still running?",
};

/** What is changed in the network (`bench-changes.js`), where there is a server. */
const changes = globalThis.phosphene?.changes;

const tone = setting.paper;
const paper = `rgb(${tone} ${tone} ${tone})`;
const ink = () => ($("colour") ? $("colour").value : tone < 128 ? "#fff" : "#000");

// ---- the picture -------------------------------------------------------------------------------

const blank = () => {
  const made = document.createElement("canvas");
  [made.width, made.height] = [width * SCALE, height * SCALE];
  return made;
};
const rest = () => ({ x: 0, y: 0, angle: 0, zoom: 1 });

let base = blank(); // transparent where nothing was drawn
let moved = rest();
let image = null; // the number in the atlas of what is shown unchanged
const [before, after] = [[], []];
const canvas = $("canvas");
[canvas.width, canvas.height] = [width * SCALE, height * SCALE];

function place(context) {
  context.translate(canvas.width / 2 + moved.x * SCALE, canvas.height / 2 + moved.y * SCALE);
  context.rotate((moved.angle * Math.PI) / 180);
  context.scale(moved.zoom, moved.zoom);
  context.translate(-canvas.width / 2, -canvas.height / 2);
}

function show() {
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = paper;
  context.fillRect(0, 0, canvas.width, canvas.height);
  place(context);
  context.imageSmoothingQuality = "high";
  context.drawImage(base, 0, 0);
  $("undo").disabled = before.length === 0;
  $("redo").disabled = after.length === 0;
  ask();
}

const copy = (of) => {
  const made = blank();
  made.getContext("2d").drawImage(of, 0, 0);
  return made;
};
const state = () => ({ base: copy(base), moved: { ...moved }, image });

function remember() {
  before.push(state());
  if (before.length > STEPS) before.shift();
  after.length = 0;
  $("hint").hidden = true;
}

function step(from, to) {
  if (!from.length) return;
  to.push(state());
  ({ base, moved, image } = from.pop());
  show();
}

/** What was moved is where it is: strokes go on from there. */
function settle() {
  if (moved.x || moved.y || moved.angle || moved.zoom !== 1) {
    const made = blank();
    const context = made.getContext("2d");
    place(context);
    context.drawImage(base, 0, 0);
    [base, moved] = [made, rest()];
  }
  image = null;
}

const halves = []; // canvases between the large one and the small one, used again

/** The picture as the network sees it: halved until a pixel is one of its own. */
function small() {
  let [from, level] = [canvas, 0];
  do {
    const by = from.width > width ? 2 : 1;
    const size = [from.width / by, from.height / by];
    const last = size[0] <= width; // kept by whoever asked
    const made = last ? document.createElement("canvas") : (halves[level++] ??= document.createElement("canvas"));
    if (made.width !== size[0] || made.height !== size[1]) [made.width, made.height] = size;
    const context = made.getContext("2d", { willReadFrequently: last });
    context.globalCompositeOperation = "copy";
    context.drawImage(from, 0, 0, ...size);
    from = made;
  } while (from.width > width);
  return from;
}

// ---- drawing -----------------------------------------------------------------------------------

let last = null;
const drawing = channels === 1 || channels === 3;

function at(event) {
  const box = canvas.getBoundingClientRect();
  return [
    ((event.clientX - box.left) * canvas.width) / box.width,
    ((event.clientY - box.top) * canvas.height) / box.height,
  ];
}

function stroke(to) {
  const context = base.getContext("2d");
  const erase = $("eraser").getAttribute("aria-pressed") === "true";
  context.globalCompositeOperation = erase ? "destination-out" : "source-over";
  context.strokeStyle = ink();
  context.lineWidth = ($("thickness").value / 20) * (canvas.width / 12);
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(...last);
  context.lineTo(...to);
  context.stroke();
  last = to;
}

if (drawing) {
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    remember();
    settle();
    last = at(event);
    stroke(last);
    show();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) stroke(at(each));
    show();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      last = null;
    });
  }
  // Strokes as a tour has them: lists of points, as shares of the sides, on a clean sheet.
  document.addEventListener("bench:draw", ({ detail }) => {
    remember();
    [base, moved, image] = [blank(), rest(), null];
    for (const points of detail) {
      const [first, ...others] = points.map(([x, y]) => [x * canvas.width, y * canvas.height]);
      last = first;
      for (const each of others) stroke(each);
    }
    last = null;
    show();
  });
  for (const [one, other] of [["pen", "eraser"], ["eraser", "pen"]]) {
    $(one).addEventListener("click", () => {
      $(one).setAttribute("aria-pressed", "true");
      $(other).setAttribute("aria-pressed", "false");
    });
  }
}

// ---- moving ------------------------------------------------------------------------------------

const MOVES = {
  left: (by) => ({ x: moved.x - by }),
  right: (by) => ({ x: moved.x + by }),
  up: (by) => ({ y: moved.y - by }),
  down: (by) => ({ y: moved.y + by }),
  clockwise: (by) => ({ angle: moved.angle + 5 * by }),
  anticlockwise: (by) => ({ angle: moved.angle - 5 * by }),
  larger: (by) => ({ zoom: moved.zoom * 1.05 ** by }),
  smaller: (by) => ({ zoom: moved.zoom / 1.05 ** by }),
  back: () => rest(),
};
const KEYS = {
  ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
  "]": "clockwise", "[": "anticlockwise", "+": "larger", "=": "larger", "-": "smaller", 0: "back",
};
const stride = Math.max(1, Math.round(Math.max(width, height) / 56));

let moving = null; // a run of moves is one step of undo
function move(way, times = 1) {
  if (!moving) remember();
  clearTimeout(moving);
  moving = setTimeout(() => (moving = null), 600);
  const straight = ["left", "right", "up", "down"].includes(way);
  moved = { ...moved, ...MOVES[way](straight ? times * stride : times) };
  image = null;
  $("status").textContent = told();
  show();
}

function told() {
  const parts = [];
  if (moved.x || moved.y) parts.push(`moved ${moved.x} right, ${moved.y} down`);
  if (moved.angle) parts.push(`turned ${moved.angle}°`);
  if (Math.abs(moved.zoom - 1) > 1e-6) parts.push(`${Math.round(100 * moved.zoom)} % as large`);
  return parts.join(", ") || "where it was";
}

document.querySelectorAll("[data-move]").forEach((button) => {
  button.addEventListener("click", (event) => move(button.dataset.move, event.shiftKey ? 4 : 1));
});
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=range]), select, textarea, dialog");
  if (typing || event.altKey) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    event.shiftKey ? step(after, before) : step(before, after);
    return;
  }
  if (event.target.type === "range" && event.key.startsWith("Arrow")) return;
  if (event.key in KEYS) {
    event.preventDefault();
    event.stopImmediatePropagation();
    move(KEYS[event.key], event.shiftKey && event.key.startsWith("Arrow") ? 4 : 1);
  }
});

// ---- pictures that are brought -----------------------------------------------------------------

function bring(picture, number = null) {
  remember();
  moved = rest();
  image = number;
  lay(picture);
  show();
}

/** A picture over the whole base: its middle, where its form is another. */
function lay(picture) {
  base = blank();
  const context = base.getContext("2d");
  const [w, h] = [picture.videoWidth ?? picture.width, picture.videoHeight ?? picture.height];
  const fit = Math.max(base.width / w, base.height / h); // it covers all, its middle is kept
  context.imageSmoothingEnabled = Math.max(w, h) > 64 || fit < 1;
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, (base.width - w * fit) / 2, (base.height - h * fit) / 2, w * fit, h * fit);
}

async function bringFile(file) {
  try {
    bring(await createImageBitmap(file));
    $("status").textContent = file.name ?? "pasted";
  } catch {
    $("status").textContent = "this is no image that the browser reads";
  }
}

async function bringImage(number) {
  const response = await reader.image(number);
  if (!response.ok) {
    $("status").textContent = (await response.json()).detail;
    return;
  }
  const link = await response.json();
  const element = new Image();
  element.src = link;
  await element.decode();
  bring(element, number);
  $("status").textContent = `image ${number} of the data`;
}

if (drawing) {
  $("open").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => {
    if ($("file").files.length) bringFile($("file").files[0]);
    $("file").value = "";
  });
  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find((each) => each.type.startsWith("image/"));
    if (file) bringFile(file);
  });
  const surface = $("surface");
  for (const name of ["dragover", "dragenter"]) {
    surface.addEventListener(name, (event) => {
      event.preventDefault();
      surface.classList.add("dropping");
    });
  }
  surface.addEventListener("dragleave", () => surface.classList.remove("dropping"));
  surface.addEventListener("drop", (event) => {
    event.preventDefault();
    surface.classList.remove("dropping");
    if (event.dataTransfer.files.length) bringFile(event.dataTransfer.files[0]);
  });
  $("camera").addEventListener("click", photograph);
}

/** One photograph of the camera, which is off again after it. */
async function photograph() {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: true });
  } catch {
    $("status").textContent = "there is no camera, or it may not be used";
    return;
  }
  const video = document.createElement("video");
  video.srcObject = stream;
  video.muted = true;
  await video.play();
  await new Promise((done) => setTimeout(done, 400)); // the first frames are dark
  bring(video);
  stream.getTracks().forEach((track) => track.stop());
}

if ($("sample")) {
  $("sample").addEventListener("click", () => {
    bringImage(setting.images[Math.floor(Math.random() * setting.images.length)]);
  });
}
$("undo").addEventListener("click", () => step(before, after));
$("redo").addEventListener("click", () => step(after, before));
$("clear").addEventListener("click", () => {
  remember();
  base = blank();
  moved = rest();
  image = null;
  $("status").textContent = "";
  show();
});
$("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = small().toDataURL("image/png");
  link.download = "picture.png";
  link.click();
});

$("longer")?.addEventListener("click", () => {
  const asked = `/${setting.name}/ask`;
  try {
    sessionStorage.setItem("phosphene drawing", small().toDataURL("image/png"));
  } catch {
    $("status").textContent = "this browser keeps nothing from one page to the next";
    return;
  }
  const unit = $("unit").value.trim();
  location.href = unit ? `${asked}#unit=${encodeURIComponent(unit)}` : asked;
});

// ---- asking ------------------------------------------------------------------------------------

let busy = false;
let dirty = false;
let scheduled = false;

function ask() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    if (busy) {
      dirty = true;
      reader.newer?.();
    } else send();
  });
}


/** A picture as the server takes it; one of the data by its number, as it was kept. */
function sent(picture) {
  if (image !== null) return `image:${image}`;
  return reader.own ? "" : picture.toDataURL("image/png");
}

const LATE = 200; // milliseconds after which it is said that a picture is being read
let late = null;

function waiting(busy) {
  clearTimeout(late);
  late = null;
  if (busy) late = setTimeout(() => ($("reading").hidden = false), $("reading").hidden ? LATE : 0);
  else $("reading").hidden = true;
}

async function send() {
  busy = true;
  dirty = false;
  waiting(true);
  const picture = small();
  const asked = {
    picture: sent(picture),
    client,
    unit: $("unit").value.trim() || "*",
    method: $("method").value,
    wall: $("layer").value,
    ...changes?.asked(),
  };
  try {
    const response = await reader.ask("read", asked, picture);
    const answer = await response.json();
    if (response.ok) tell(answer, asked, picture);
    else if (response.status !== 409) refuse(answer);
    if ($("beside")) await askBeside(picture);
  } catch {
    $("status").textContent = reader.lost;
  }
  busy = false;
  if (dirty) ask();
  else waiting(false);
}

/** What another network reads in the same picture. */
async function askBeside(picture) {
  const name = $("beside").value;
  if (!name) {
    $("beside-bars").replaceChildren();
    $("beside-told").textContent = "";
    return;
  }
  const response = await fetch(`/api/${name}/read`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ picture: picture.toDataURL("image/png"), client, bars: 10 }),
  });
  const answer = await response.json();
  if (!response.ok) {
    if (response.status !== 409) $("beside-told").textContent = answer.detail;
    return;
  }
  const away = (bar) => {
    const link = fragment(true).replace(/unit=[^&]*&?/, "");
    location.href = `/${name}/bench#${link}&unit=${encodeURIComponent(bar.name)}`;
  };
  tellBars($("beside-bars"), answer.bars, away);
  const [one, other] = [...document.querySelectorAll(".bars li:first-child .name")];
  const same = one && other && one.textContent === other.textContent;
  $("beside-told").textContent = answer.unread || (same ? "Both read the same." : "They differ.");
}

function refuse(answer) {
  $("told").textContent = answer.detail;
  $("map").hidden = true;
}

function tell(answer, asked, picture) {
  $("unread").textContent = answer.unread;
  tellBars($("bars"), answer.bars, (bar) => choose(`${setting.output}:${bar.index}`));
  tellLook(answer.look, picture);
  if (asked.changes) changes.tell(answer.absent);
  if (answer.wall) tellWall(answer.wall);
  else if (!asked.wall) $("wall").replaceChildren();
}

function tellBars(list, bars, select) {
  while (list.children.length > bars.length) list.lastChild.remove();
  while (list.children.length < bars.length) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    for (const name of ["name", "track", "value"]) {
      const part = document.createElement("span");
      part.className = name;
      button.append(part);
    }
    const share = document.createElement("span");
    share.className = "share";
    const was = document.createElement("span");
    was.className = "was";
    button.children[1].append(share, was);
    item.append(button);
    list.append(item);
  }
  if (list.id === "bars") $("best").textContent = bars.length ? `${bars[0].name} ${percent(bars[0].share)}` : "";
  bars.forEach((bar, i) => {
    const button = list.children[i].firstChild;
    button.dataset.unit = `${setting.output}:${bar.index}`;
    button.onclick = () => select(bar);
    const [name, track, value] = button.children;
    name.textContent = name.title = bar.name;
    track.firstChild.style.transform = `scaleX(${bar.share})`;
    const before = bar.before ?? null; // without what was changed in the network
    track.lastChild.hidden = before === null;
    track.lastChild.style.left = `${100 * (before ?? 0)}%`;
    const [now, was] = [bar.share, before ?? bar.share].map(percent);
    value.textContent = was === now ? now : `${now}, was ${was}`;
  });
}

function percent(share) {
  if (share > 0.9995) return share === 1 ? "100 %" : "> 99.9 %";
  return share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`;
}

function tellLook(look, picture) {
  const [shown, map] = [$("shown"), $("map")];
  [shown.width, shown.height] = [width, height];
  shown.getContext("2d").drawImage(picture, 0, 0);
  shown.style.imageRendering = Math.max(width, height) <= 64 ? "pixelated" : "auto";
  map.style.imageRendering = shown.style.imageRendering;
  map.hidden = !look;
  if (!look) {
    delete $("told").dataset.unit;
    $("told").textContent = "Name a unit to see where it looks.";
    return;
  }
  if (look.map) {
    [map.width, map.height] = [look.map.width, look.map.height];
    const pixels = new ImageData(look.map.bytes, look.map.width, look.map.height);
    map.getContext("2d").putImageData(pixels, 0, 0);
    map.setAttribute("aria-label", look.words);
  } else {
    map.src = look.src;
    map.alt = look.words;
  }
  const link = document.createElement("a");
  const colon = look.unit.lastIndexOf(":");
  const page = reader.page(look.unit.slice(0, colon), look.unit.slice(colon + 1).split("@")[0]);
  link.href = page;
  const absent = setting.absent?.includes(look.unit.slice(0, colon));
  link.textContent = absent ? "study its layer" : "its page";
  $("told").dataset.unit = look.unit;
  const was = look.before_told ? `, and ${look.before_told} before` : "";
  const words = `${look.words}, which answers ${look.told}${was}`;
  $("told").replaceChildren(...(page ? [`${words}: `, link] : [`${words}.`]));
}

function tellWall(wall) {
  const grid = $("wall");
  if (grid.dataset.layer !== wall.layer || grid.children.length !== wall.units) {
    grid.dataset.layer = wall.layer;
    grid.replaceChildren(...Array.from({ length: wall.units }, (_, i) => tile(wall, i)));
    const side = Math.max(wall.width, wall.height) === 1 ? 22 : 56;
    grid.style.setProperty("--side", `${side}px`);
    grid.style.setProperty("--shape", `${wall.width} / ${wall.height}`);
  }
  const rows = Math.ceil(wall.units / wall.columns);
  const size = `${100 * wall.columns}% ${100 * rows}%`;
  const chosen = $("unit").value.trim();
  grid.style.setProperty("--sheet", `url("${wall.src}")`);
  grid.style.setProperty("--sheet-size", size);
  [...grid.children].forEach((each, i) => {
    each.setAttribute("aria-pressed", String(chosen === `${wall.layer}:${i}`));
    each.title = `${wall.layer}:${i}, at most ${wall.strongest[i].toPrecision(3)}`;
  });
  $("wall-told").textContent = `${wall.units} units, each in its own range: blue above zero, red below`;
}

function tile(wall, i) {
  const button = document.createElement("button");
  button.type = "button";
  const [row, column] = [Math.floor(i / wall.columns), i % wall.columns];
  const rows = Math.ceil(wall.units / wall.columns);
  const part = (at, of) => (of > 1 ? (100 * at) / (of - 1) : 0);
  button.style.backgroundPosition = `${part(column, wall.columns)}% ${part(row, rows)}%`;
  button.setAttribute("aria-label", `${wall.layer}:${i}`);
  button.addEventListener("click", () => choose(`${wall.layer}:${i}`));
  return button;
}

function choose(unit) {
  $("unit").value = unit;
  changed();
}

// ---- further -----------------------------------------------------------------------------------

async function post(what, asked, where) {
  where.textContent = "…";
  try {
    const picture = small();
    const response = await reader.ask(what, { picture: sent(picture), client, ...asked }, picture);
    const answer = await response.json();
    if (response.ok) return answer;
    if (response.status !== 409) where.textContent = answer.detail;
  } catch {
    where.textContent = reader.lost;
  }
  return null;
}

/** The unit that is looked at: the one that was named, or the class that is read. */
const chosen = () => $("unit").value.trim() || document.querySelector("#bars button")?.dataset.unit;

let playing = 0;
async function lead() {
  const run = ++playing;
  const answer = await post("morph", { unit: $("goal").value.trim() }, $("further"));
  if (!answer) return;
  remember();
  [moved, image] = [rest(), null];
  for (const frame of answer.frames) {
    if (run !== playing) return;
    const element = new Image();
    element.src = frame;
    await element.decode();
    lay(element);
    show();
    await new Promise((done) => setTimeout(done, 140));
  }
  $("further").textContent = answer.words;
}

if ($("goal")) {
  $("morph").addEventListener("click", lead);
  $("everywhere").addEventListener("click", async () => {
    const asked = { unit: document.querySelector("#bars button").dataset.unit, paper: tone / 255 };
    asked.unit = asked.unit.slice(asked.unit.lastIndexOf(":") + 1);
    const answer = await post("moves", asked, $("further"));
    if (!answer) return;
    $("further").textContent = answer.words;
    const map = new Image();
    map.src = answer.src;
    map.alt = answer.words;
    $("moves").replaceChildren(map);
    $("moves").hidden = false;
    await map.decode();
    reveal($("moves"));
  });
}
/** A unit's picture while it is drawn: lines of JSON, each with a picture. */
async function imagine() {
  const [unit, told] = [chosen(), $("imagined-told")];
  if (!unit) {
    told.textContent = "Name a unit or a class to imagine.";
    return;
  }
  told.textContent = "…";
  try {
    const response = await fetch(`/api/${setting.name}/imagine`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ unit, client: `${client}-imagine` }),
    });
    if (!response.ok) {
      told.textContent = (await response.json()).detail;
      return;
    }
    const image = new Image();
    image.alt = `A picture made for ${unit}`;
    $("imagined").replaceChildren(image);
    $("imagined").hidden = false;
    const lines = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let part = await lines.read(); !part.done; part = await lines.read()) {
      const parts = (rest + part.value).split("\n");
      rest = parts.pop();
      for (const line of parts) {
        const drawn = JSON.parse(line);
        if (drawn.src) image.src = drawn.src;
        told.textContent =
          drawn.detail ?? `${unit}, step ${drawn.step} of ${drawn.steps}: scores ${drawn.answers}`;
      }
    }
    image.style.imageRendering = image.naturalWidth <= 64 ? "pixelated" : "auto";
  } catch {
    told.textContent = reader.lost;
  }
}
$("imagine")?.addEventListener("click", imagine);
$("apart")?.addEventListener("click", async () => {
  const unit = chosen();
  $("parts").hidden = false;
  $("tree").replaceChildren();
  if (!unit) {
    $("parts-told").textContent = "Name a unit or a class to take apart.";
    return;
  }
  const answer = await post("parts", { unit }, $("parts-told"));
  if (!answer) return;
  $("parts-told").textContent = answer.words;
  $("tree").innerHTML = answer.drawing; // made by our own templates, which escape what they tell
  changes?.plant(answer.tree);
  reveal($("parts"));
});

/** Bring an answer into view that stands below what is seen. */
function reveal(element) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ block: "nearest", behavior: still ? "auto" : "smooth" });
}

// ---- links -------------------------------------------------------------------------------------

function changed() {
  history.replaceState(null, "", `#${fragment(false)}`);
  ask();
}

function fragment(withPicture) {
  const told = new URLSearchParams();
  for (const id of ["unit", "method", "beside"]) if ($(id)?.value) told.set(id, $(id).value);
  if ($("layer").value) told.set("layer", $("layer").value);
  if (changes?.written()) told.set("changes", changes.written());
  if (image !== null) told.set("image", image);
  else if (withPicture && $("hint").hidden) told.set("picture", small().toDataURL("image/png"));
  return told.toString();
}

/** Where a picture waits while its reader looks at another page. */
const KEPT = `phosphene ${setting.channels}x${setting.height}x${setting.width}`;
addEventListener("pagehide", () => {
  try {
    if ($("hint").hidden) sessionStorage.setItem(KEPT, small().toDataURL("image/png"));
    else sessionStorage.removeItem(KEPT);
  } catch {} // too large, or a browser that keeps nothing for files
});

function left() {
  try {
    return sessionStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

$("link").addEventListener("click", async () => {
  const whole = fragment(true);
  const short = whole.length <= LONGEST_LINK;
  const link = `${location.href.split("#")[0]}#${short ? whole : fragment(false)}`;
  try {
    await navigator.clipboard.writeText(link);
    $("status").textContent = short ? "copied" : "copied, without the picture: it is too large";
  } catch {
    $("status").textContent = link;
  }
});
for (const id of ["unit", "method", "layer", "beside"]) $(id)?.addEventListener("change", changed);

async function begin() {
  const told = new URLSearchParams(location.hash.slice(1));
  for (const id of ["unit", "method", "layer", "beside"]) {
    if ($(id) && told.get(id)) $(id).value = told.get(id);
  }
  changes?.read(told.get("changes"));
  document.addEventListener("bench:changed", changed);
  const picture = told.get("picture") ?? left();
  if (/^\d+$/.test(told.get("image") ?? "")) await bringImage(Number(told.get("image")));
  else if (picture && picture.startsWith("data:image/png;base64,")) {
    const element = new Image();
    element.src = picture;
    try {
      await element.decode();
      bring(element);
    } catch {
      $("status").textContent = "the picture of this link is damaged";
    }
  }
  if (!before.length) show();
}
begin();
