// What answers on the bench of a page without a server: the network itself, run by the engine.
//
// It answers as `phosphene.live.readings` does, from `phosphene.network`, which stands beside the page.

"use strict";

(() => {
  const { network, shares } = globalThis.phosphene;
  const engine = globalThis.phosphene.engine(network);
  const [channels, height, width] = network.shape;
  const WALL = 64; // pixels of a side of a unit's map at most
  const BARS = 10;
  const FIRST = "*";
  const METHODS = {
    gradient: { rule: "plain", called: "gradient" },
    "gradient x input": { rule: "plain", called: "gradient x input", input: true },
    deconvnet: { rule: "deconvnet", called: "DeconvNet" },
    guided: { rule: "guided", called: "guided gradient" },
  };

  class Refused extends Error {}

  // ---- pictures and images ----------------------------------------------------------------------

  /** The picture of a canvas, in [0, 1]; grey is as Pillow has it. */
  function pixels(canvas) {
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const found = new Float32Array(channels * height * width);
    for (let i = 0; i < height * width; i++) {
      const [r, g, b] = [data[4 * i], data[4 * i + 1], data[4 * i + 2]];
      if (channels === 1) found[i] = ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16) / 255;
      else [r, g, b].forEach((value, c) => (found[c * height * width + i] = value / 255));
    }
    return found;
  }

  /** A PNG of `w` x `h` as the text of a link; `paint` fills its bytes. */
  function image(w, h, paint) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [w, h];
    const context = canvas.getContext("2d");
    const made = context.createImageData(w, h);
    paint(made.data);
    context.putImageData(made, 0, 0);
    return canvas.toDataURL("image/png");
  }

  const [POSITIVE, NEGATIVE] = [[45, 120, 214], [214, 63, 47]];

  /** A signed number as a colour: none at zero, blue above, red below. */
  function colour(bytes, at, value, limit) {
    const scaled = limit > 0 ? Math.min(Math.max(value / limit, -1), 1) : 0;
    bytes.set(scaled < 0 ? NEGATIVE : POSITIVE, 4 * at);
    bytes[4 * at + 3] = Math.round(255 * Math.abs(scaled));
  }

  /** From which magnitude on all is shown alike: that of the strongest in 200. */
  function fullStrength(values) {
    const sorted = Float64Array.from(values, Math.abs).sort();
    const place = (sorted.length - 1) * (1 - 1 / 200);
    const [low, part] = [Math.floor(place), place % 1];
    const at = sorted[low] + part * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
    return Math.max(at, sorted[sorted.length - 1] / 8);
  }

  /** Three digits, as people read them. */
  function told(value) {
    const size = Math.abs(value);
    const text = size >= 1000 && size < 1e9
      ? Math.round(value).toLocaleString("en-US")
      : String(Number(value.toPrecision(3)));
    return text.replace("-", "−");
  }

  // ---- units ------------------------------------------------------------------------------------

  const plain = (name) => name.replace(/[\s_-]+/g, " ").trim().toLowerCase();

  /** The unit that a text means: a class's name or number, or layer:number. */
  function unitOf(text) {
    const found = /^(.+):(\d+)(?:@(\d+),(\d+))?$/.exec(text);
    if (!found) return { layer: network.output, index: classOf(text) };
    const [layer, index] = [found[1], Number(found[2])];
    const known = network.layers[layer];
    if (!known) throw new Refused(`no layer '${layer}'; there are ${Object.keys(network.layers).join(", ")}`);
    const [units, rows, columns] = engine.shapes[known.value];
    if (index >= units) throw new Refused(`${layer} has units 0 to ${units - 1}; ${index} was asked for`);
    if (found[3] === undefined) return { layer, index };
    const [y, x] = [Number(found[3]), Number(found[4])];
    if (!rows || y >= rows || x >= columns) throw new Refused(`${layer} has no place ${y},${x}`);
    return { layer, index, place: y * columns + x };
  }

  function classOf(text) {
    const { classes } = network;
    const just = classes.indexOf(text);
    if (just >= 0) return just;
    const named = classes.flatMap((name, i) =>
      [name, ...name.split(",")].map(plain).includes(plain(text)) ? [i] : [],
    );
    if (named.length === 1) return named[0];
    if (named.length > 1) throw new Refused(`${named.length} classes are called '${text}'; give the number of one`);
    if (/^\d+$/.test(text) && Number(text) < classes.length) return Number(text);
    throw new Refused(`'${text}' is neither a unit, written layer:number, nor a class of ${network.name}`);
  }

  const address = (unit, columns) =>
    `${unit.layer}:${unit.index}` +
    (unit.place === undefined ? "" : `@${Math.floor(unit.place / columns)},${unit.place % columns}`);

  const area = (value) => engine.shapes[value].slice(1).reduce((a, b) => a * b, 1);

  /** The value of which a unit is the rectified part, and the unit there; itself if it is none. */
  function inside(values, unit) {
    const { value, before } = network.layers[unit.layer];
    const own = { value, index: unit.index };
    const found = before && before[unit.index];
    if (!found) return own;
    const held = { value: network.layers[found[0]].value, index: found[1] };
    return rectifies(values, own, held) ? held : own;
  }

  function rectifies(values, own, held) {
    const n = area(own.value);
    if (area(held.value) !== n) return false;
    const high = values[own.value].reduce((a, b) => Math.max(a, b), -Infinity) === 6 ? 6 : Infinity;
    for (let i = 0; i < n; i++) {
      const value = Math.min(Math.max(values[held.value][held.index * n + i], 0), high);
      if (values[own.value][own.index * n + i] !== value) return false;
    }
    return true;
  }

  function strongest(values, { value, index }) {
    const n = area(value);
    let best = index * n;
    for (let i = best; i < (index + 1) * n; i++) if (values[value][i] > values[value][best]) best = i;
    return best;
  }

  // ---- answers ----------------------------------------------------------------------------------

  function probabilities(scores) {
    if (network.task === "sigmoid") return Array.from(scores, (score) => 1 / (1 + Math.exp(-score)));
    return Array.from(shares(scores).shares);
  }

  function bars(values) {
    if (network.scores === null) return [];
    return probabilities(values[network.scores])
      .map((share, index) => ({ index, name: network.classes[index], share }))
      .sort((one, other) => other.share - one.share || one.index - other.index)
      .slice(0, BARS);
  }

  /** The slope of a unit from its strongest place, or of a class, by each number of the picture. */
  function slope(values, unit, rule) {
    const target = inside(values, unit);
    const at = unit.place === undefined
      ? strongest(values, target)
      : target.index * area(target.value) + unit.place;
    return { map: engine.backward(values, target.value, at, rule), value: values[target.value][at] };
  }

  function map(values, unit, method) {
    const { rule, input } = METHODS[method];
    const found = slope(values, unit, rule);
    if (input) found.map = found.map.map((g, i) => g * (values[0][i] - network.zero[Math.floor(i / (height * width))]));
    return found;
  }

  function look(values, unit, method) {
    const found = map(values, unit, method);
    const sums = new Float64Array(height * width);
    found.map.forEach((g, i) => (sums[i % sums.length] += g));
    const limit = fullStrength(sums);
    const columns = engine.shapes[network.layers[unit.layer].value][2];
    const name = address(unit, columns);
    const isClass = network.scores !== null && unit.layer === network.output;
    return {
      unit: name,
      words: `${METHODS[method].called} of ${isClass ? `class ${network.classes[unit.index]}` : name}`,
      value: found.value,
      told: told(found.value),
      src: image(width, height, (bytes) => sums.forEach((sum, i) => colour(bytes, i, sum, limit))),
    };
  }

  /** Maps of a layer no larger than the wall has room for: each spot keeps its largest value. */
  function small(values, units, h, w) {
    const by = Math.max(h, w);
    if (by <= WALL) return { maps: values, h, w };
    const [rows, columns] = [h, w].map((side) => Math.max(1, Math.round((side * WALL) / by)));
    const maps = new Float32Array(units * rows * columns);
    for (let i = 0; i < maps.length; i++) {
      const [unit, row, column] = [
        Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns,
      ];
      const [top, bottom] = [Math.floor((row * h) / rows), Math.ceil(((row + 1) * h) / rows)];
      const [left, right] = [Math.floor((column * w) / columns), Math.ceil(((column + 1) * w) / columns)];
      let [high, low] = [-Infinity, Infinity];
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) {
          const value = values[(unit * h + y) * w + x];
          [high, low] = [Math.max(high, value), Math.min(low, value)];
        }
      }
      maps[i] = high >= -low || Math.abs(high) >= Math.abs(low) ? high : low;
    }
    return { maps, h: rows, w: columns };
  }

  function wall(values, layer) {
    const known = network.layers[layer];
    if (!known) throw new Refused(`no layer '${layer}'`);
    const [units, rows = 1, columnsOfMap = 1] = engine.shapes[known.value];
    const { maps, h, w } = small(values[known.value], units, rows, columnsOfMap);
    const columns = Math.max(1, Math.round(Math.sqrt((units * h) / w) * Math.sqrt(w / h)));
    const across = columns * w;
    const down = Math.ceil(units / columns) * h;
    const n = h * w;
    const src = image(across, down, (bytes) => {
      for (let unit = 0; unit < units; unit++) {
        let limit = 1e-12;
        for (let i = unit * n; i < (unit + 1) * n; i++) limit = Math.max(limit, Math.abs(maps[i]));
        const corner = Math.floor(unit / columns) * h * across + (unit % columns) * w;
        for (let i = 0; i < n; i++) {
          colour(bytes, corner + Math.floor(i / w) * across + (i % w), maps[unit * n + i], limit);
        }
      }
    });
    const each = area(known.value);
    const largest = Array.from({ length: units }, (_, unit) =>
      values[known.value].subarray(unit * each, (unit + 1) * each).reduce((a, b) => Math.max(a, b)),
    );
    return { layer, units, columns, width: w, height: h, src, strongest: largest };
  }

  /** The values that an answer needs: classes, the layer of the wall, the unit and its inside. */
  function wanted(unit, layer) {
    const found = network.scores === null ? [] : [network.scores];
    for (const name of [layer, unit?.layer]) {
      if (!name) continue;
      if (!network.layers[name]) throw new Refused(`no layer '${name}'`);
      found.push(network.layers[name].value);
    }
    const before = unit && network.layers[unit.layer].before?.[unit.index];
    if (before) found.push(network.layers[before[0]].value);
    return found;
  }

  function read(asked, picture) {
    const first = asked.unit === FIRST;
    const named = asked.unit && !first ? unitOf(asked.unit) : null;
    if (asked.unit && !METHODS[asked.method]) throw new Refused(`this page has no map by '${asked.method}'`);
    const logits = first && network.scores !== null ? { layer: network.output, index: 0 } : null;
    const values = engine.forward(picture, wanted(named ?? logits, asked.wall));
    const found = bars(values);
    const unit = first ? (found.length ? { layer: network.output, index: found[0].index } : null) : named;
    return {
      bars: found,
      unread: network.unread,
      look: unit ? look(values, unit, asked.method) : null,
      wall: asked.wall ? wall(values, asked.wall) : null,
    };
  }

  // ---- what the bench asks ----------------------------------------------------------------------

  /** An answer as a server would give it. */
  const answered = (ok, answer) => ({ ok, status: ok ? 200 : 422, json: async () => answer });

  const reader = {
    async ask(what, asked, canvas) {
      try {
        return answered(true, read(asked, pixels(canvas))); // all that this page asks
      } catch (error) {
        if (error instanceof Refused) return answered(false, { detail: error.message });
        throw error;
      }
    },
    async image(number) {
      const link = network.images[number];
      return link ? answered(true, link) : answered(false, { detail: `image ${number} is not in this page` });
    },
    page(layer, unit) {
      const known = network.pages[layer];
      return known && known.units.includes(Number(unit)) ? `unit-${known.slug}-${unit}.html` : "";
    },
    lost: "this picture could not be read",
  };

  Object.assign(globalThis.phosphene, { running: engine, read, map, unitOf, reader });
})();
