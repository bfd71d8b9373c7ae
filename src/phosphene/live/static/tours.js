// Guided tours: a few sentences each, and what they speak of done on the bench by a button.
//
// Each goes with a walk-through, of which `walks.js` has the title and the first paragraph (`make tours`).

import { walks } from "./walks.js";

const setting = JSON.parse(document.getElementById("bench").dataset.setting);
const $ = (id) => document.getElementById(id);

const UPRIGHT = [[[0.5, 0.2], [0.5, 0.82]]];
const DASH = [[[0.3, 0.3], [0.7, 0.3]]];
const SEVEN = [[[0.3, 0.25], [0.7, 0.25], [0.46, 0.8]]];

// A step says something and may draw strokes, take an image, set fields and press buttons.
const TOURS = [
  {
    title: "The shortcut",
    walk: "1_shortcuts",
    digits: true,
    steps: [
      { say: "A 1 is an upright line. Draw one, or let it be drawn.", draw: UPRIGHT },
      {
        say: "Now move it with the arrow keys: it stays the same line. Where does it stop being a 1? This map shows all places at once: blue where it is still read as it is now, red where not.",
        press: ["everywhere"],
      },
      {
        say: "And a lone dash, high up? A person sees no digit in it. What does the network see, and what does it go by?",
        draw: DASH,
      },
    ],
  },
  {
    title: "Fooling",
    walk: "2_fooling",
    digits: true,
    steps: [
      { say: "Begin with a 7 that nobody would mistake.", draw: SEVEN },
      {
        say: "Each step changes every pixel a little, the way that makes a 3 likelier. Watch the bars: nothing for a while, and then a sudden turn.",
        set: { goal: "3" },
        press: ["morph"],
      },
      {
        say: "Would you call it a 3? The line below the button says how far the pixels have come. Undo goes back to the 7; or move the picture by a few pixels and see whether the answer lasts.",
      },
    ],
  },
  {
    title: "One unit, one picture",
    walk: "3_one_image",
    steps: [
      { say: "Take any picture of the data.", press: ["sample"] },
      {
        say: "The gradient tells which pixels would raise what the network reads: blue ones if they were lighter, red ones if they were darker.",
        set: { unit: "", method: "gradient" },
      },
      {
        say: "Guided backpropagation draws a cleaner picture. Clean is not the same as telling: choose another class in the bars, and see how little it changes.",
        set: { method: "guided" },
      },
    ],
  },
  {
    title: "Every unit of a layer",
    walk: "4_every_feature",
    steps: [
      { say: "Take any picture of the data.", press: ["sample"] },
      {
        say: "These are the maps of all units of the first layer, each in its own range. Move the picture: they follow.",
        set: { layer: 0 },
      },
      {
        say: "Choose one of them. Its map of the picture is on the right, and its page has the real patches that excite it most.",
        set: { tile: 0 },
      },
    ],
  },
  {
    title: "What it likes most",
    walk: "5_likes_most",
    steps: [
      { say: "Any class, or any unit, can be asked what it would most like to see. Name one, or leave the class that is read.", press: ["sample"] },
      {
        say: "The picture begins as noise and is changed so that the answer grows. It is what the network cannot resist, which may be another thing than what it looks for.",
        press: ["imagine"],
      },
    ],
  },
  {
    title: "What it is made of",
    walk: "6_circuits",
    steps: [
      { say: "Take any picture of the data.", press: ["sample"] },
      {
        say: "The class is made of units of the layer below, and they of those below them. Each line was checked: the network was run again without that unit.",
        press: ["apart"],
      },
      { say: "Select a unit in the tree to see its page: what it is drawn for, where it looks, and what else it is a part of." },
    ],
  },
];

const digits = setting.classes === 10 && (setting.channels === 1 || setting.channels === 3);
const tours = TOURS.filter(
  (tour) =>
    (!tour.digits || (digits && $("goal")?.options?.[7]?.text === "7")) &&
    (setting.images.length || !tour.steps.some((step) => step.press?.includes("sample"))) &&
    (setting.output || tour.title === "Every unit of a layer"),
);

let [tour, at] = [null, 0];

function change(id, value) {
  const field = $(id);
  if (!field) return;
  if (typeof value === "number") field.selectedIndex = value + 1; // after "none"
  else if (field.options) {
    field.selectedIndex = [...field.options].findIndex((option) => option.text === value);
  } else field.value = value;
  field.dispatchEvent(new Event("change"));
}

function perform(step) {
  if (step.draw) document.dispatchEvent(new CustomEvent("bench:draw", { detail: step.draw }));
  for (const [id, value] of Object.entries(step.set ?? {})) {
    if (id === "tile") $("wall").children[value]?.click();
    else change(id, value);
  }
  for (const id of step.press ?? []) $(id)?.click();
}

function tell() {
  const step = tour.steps[at];
  $("tour-title").textContent = `${tour.title}, ${at + 1} of ${tour.steps.length}`;
  $("tour-said").textContent = step.say;
  const { title, told } = walks[tour.walk];
  $("tour-story").textContent = `The walk-through “${title}” begins: ${told}`;
  $("tour-story").hidden = at > 0;
  $("tour-back").disabled = at === 0;
  $("tour-next").textContent = at + 1 < tour.steps.length ? "Next" : "End";
  $("tour-show").hidden = !(step.draw || step.press || step.set);
}

for (const each of tours) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = each.title;
  button.addEventListener("click", () => {
    [tour, at] = [each, 0];
    $("tour").hidden = false;
    tell();
    perform(tour.steps[0]);
    $("tour-next").focus();
  });
  $("tours").append(button);
}
$("tours").hidden = tours.length === 0;
$("tour-show").addEventListener("click", () => perform(tour.steps[at]));
$("tour-back").addEventListener("click", () => {
  at -= 1;
  tell();
});
$("tour-next").addEventListener("click", () => {
  if (at + 1 === tour.steps.length) {
    $("tour").hidden = true;
    [...$("tours").children].find((each) => each.textContent === tour.title).focus();
    return;
  }
  at += 1;
  tell();
  perform(tour.steps[at]);
});
