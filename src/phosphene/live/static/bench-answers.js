// What answers to a picture on a page without a server: the network itself, run by the engine.
//
// It answers as `phosphene.live.readings` does, in plain values: images are `{ width, height, bytes }`,
// so that it may stand in a worker. Answers are made step by step, and may be left between two.

"use strict";

(globalThis.phosphene ??= {}).parts ??= [];

globalThis.phosphene.parts.push(function answers(phosphene) {
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

  // ---- images and numbers -----------------------------------------------------------------------

  /** A signed number as a colour: none at zero, blue above, red below. */
  function colour(bytes, at, value, limit) {
    const scaled = limit > 0 ? Math.min(Math.max(value / limit, -1), 1) : 0;
    bytes[4 * at] = scaled < 0 ? 214 : 45;
    bytes[4 * at + 1] = scaled < 0 ? 63 : 120;
    bytes[4 * at + 2] = scaled < 0 ? 47 : 214;
    bytes[4 * at + 3] = Math.round(255 * Math.abs(scaled));
  }

  const image = (width, height) => {
    return { width, height, bytes: new Uint8ClampedArray(4 * width * height) };
  };

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

  /** Maps of a layer no larger than the wall has room for: each spot keeps its largest value. */
  function small(values, units, h, w) {
    const by = Math.max(h, w);
    if (by <= WALL) return { maps: values, h, w };
    const [rows, columns] = [h, w].map((side) => Math.max(1, Math.round((side * WALL) / by)));
    const maps = new Float32Array(units * rows * columns);
    for (let i = 0; i < maps.length; i++) {
      const unit = Math.floor(i / (rows * columns));
      const [row, column] = [Math.floor(i / columns) % rows, i % columns];
      const [top, bottom] = [Math.floor((row * h) / rows), Math.ceil(((row + 1) * h) / rows)];
      const [left, right] = [Math.floor((column * w) / columns), Math.ceil(((column + 1) * w) / columns)];
      let high = -Infinity;
      let low = Infinity;
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) {
          const value = values[(unit * h + y) * w + x];
          if (value > high) high = value;
          if (value < low) low = value;
        }
      }
      maps[i] = Math.abs(high) >= Math.abs(low) ? high : low;
    }
    return { maps, h: rows, w: columns };
  }

  // ---- units ------------------------------------------------------------------------------------

  const plain = (name) => name.replace(/[\s_-]+/g, " ").trim().toLowerCase();

  function classOf(network, text) {
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

  /** What reads pictures with a network. */
  function reading(network) {
    const engine = phosphene.engine(network);
    const [, height, width] = network.shape;

    /** A layer: its value, and the numbers of units, rows and columns. */
    function layerOf(name) {
      const known = network.layers[name];
      if (!known) throw new Refused(`no layer '${name}'; there are ${Object.keys(network.layers).join(", ")}`);
      const [units, rows = 1, columns = 1] = engine.shapes[known.value];
      return { ...known, units, rows, columns, area: rows * columns, flat: engine.shapes[known.value].length < 3 };
    }

    /** The unit that a text means: a class's name or number, or layer:number. */
    function unitOf(text) {
      const found = /^(.+):(\d+)(?:@(\d+),(\d+))?$/.exec(text);
      if (!found) return { layer: network.output, index: classOf(network, text) };
      const [layer, index] = [found[1], Number(found[2])];
      const { units, rows, columns, flat } = layerOf(layer);
      if (index >= units) throw new Refused(`${layer} has units 0 to ${units - 1}; ${index} was asked for`);
      if (found[3] === undefined) return { layer, index };
      const [y, x] = [Number(found[3]), Number(found[4])];
      if (flat || y >= rows || x >= columns) throw new Refused(`${layer} has no place ${y},${x}`);
      return { layer, index, place: y * columns + x };
    }

    const address = (unit, columns) =>
      `${unit.layer}:${unit.index}` +
      (unit.place === undefined ? "" : `@${Math.floor(unit.place / columns)},${unit.place % columns}`);

    /** The layer and unit of which a unit is the rectified part; itself if it is none. */
    function inside(values, unit) {
      const own = { ...layerOf(unit.layer), index: unit.index };
      const found = own.before && own.before[unit.index];
      if (!found) return own;
      const held = { ...layerOf(found[0]), index: found[1] };
      return rectifies(values, own, held) ? held : own;
    }

    function rectifies(values, own, held) {
      const n = own.area;
      if (held.area !== n) return false;
      const [whole, before] = [values[own.value], values[held.value]];
      const high = whole.reduce((a, b) => Math.max(a, b), -Infinity) === 6 ? 6 : Infinity;
      for (let i = 0; i < n; i++) {
        const value = Math.min(Math.max(before[held.index * n + i], 0), high);
        if (whole[own.index * n + i] !== value) return false;
      }
      return true;
    }

    function strongest(values, { value, index, area }) {
      let best = index * area;
      for (let i = best; i < (index + 1) * area; i++) if (values[value][i] > values[value][best]) best = i;
      return best;
    }

    // ---- answers --------------------------------------------------------------------------------

    function probabilities(scores) {
      if (network.task === "sigmoid") return Array.from(scores, (score) => 1 / (1 + Math.exp(-score)));
      return Array.from(phosphene.shares(scores).shares);
    }

    function bars(values) {
      if (network.scores === null) return [];
      return probabilities(values[network.scores])
        .map((share, index) => ({ index, name: network.classes[index], share }))
        .sort((one, other) => other.share - one.share || one.index - other.index)
        .slice(0, BARS);
    }

    /** By what each number of the picture raises a unit at its strongest place, or a class. */
    function* look(values, unit, method) {
      const { rule, input, called } = METHODS[method];
      const target = inside(values, unit);
      const at = unit.place === undefined
        ? strongest(values, target)
        : target.index * target.area + unit.place;
      const value = values[target.value][at];
      const slopes = yield* engine.leading(values, target.value, at, rule);
      const sums = new Float64Array(height * width);
      for (let i = 0; i < slopes.length; i++) {
        const zero = input ? values[0][i] - network.zero[Math.floor(i / sums.length)] : 1;
        sums[i % sums.length] += slopes[i] * zero;
      }
      const [limit, map] = [fullStrength(sums), image(width, height)];
      for (let i = 0; i < sums.length; i++) colour(map.bytes, i, sums[i], limit);
      const name = address(unit, layerOf(unit.layer).columns);
      const isClass = network.scores !== null && unit.layer === network.output;
      const words = `${called} of ${isClass ? `class ${network.classes[unit.index]}` : name}`;
      return { unit: name, words, value, told: told(value), map };
    }

    function wall(values, layer) {
      const { value, units, rows, columns: across, area } = layerOf(layer);
      const { maps, h, w } = small(values[value], units, rows, across);
      const columns = Math.max(1, Math.round(Math.sqrt((units * h) / w) * Math.sqrt(w / h)));
      const sheet = image(columns * w, Math.ceil(units / columns) * h);
      const largest = [];
      for (let unit = 0; unit < units; unit++) {
        let limit = 1e-12;
        for (let i = unit * h * w; i < (unit + 1) * h * w; i++) limit = Math.max(limit, Math.abs(maps[i]));
        const corner = Math.floor(unit / columns) * h * sheet.width + (unit % columns) * w;
        for (let i = 0; i < h * w; i++) {
          const at = corner + Math.floor(i / w) * sheet.width + (i % w);
          colour(sheet.bytes, at, maps[unit * h * w + i], limit);
        }
        largest.push(values[value][strongest(values, { value, index: unit, area })]);
      }
      return { layer, units, columns, width: w, height: h, sheet, strongest: largest };
    }

    /** The values that an answer needs: classes, the layer of the wall, the unit and its inside. */
    function wanted(unit, layer) {
      const found = network.scores === null ? [] : [network.scores];
      for (const name of [layer, unit?.layer]) if (name) found.push(layerOf(name).value);
      const before = unit && layerOf(unit.layer).before?.[unit.index];
      if (before) found.push(layerOf(before[0]).value);
      return found;
    }

    /** All that was asked of a picture: `c h w` numbers in [0, 1]. */
    return function* (asked, picture) {
      const first = asked.unit === FIRST;
      const named = asked.unit && !first ? unitOf(asked.unit) : null;
      if (asked.unit && !METHODS[asked.method]) throw new Refused(`this page has no map by '${asked.method}'`);
      const scores = first && network.scores !== null ? { layer: network.output, index: 0 } : null;
      const values = yield* engine.running(picture, wanted(named ?? scores, asked.wall));
      const found = bars(values);
      const unit = first && found.length ? { layer: network.output, index: found[0].index } : named;
      return {
        bars: found,
        unread: network.unread,
        look: unit ? yield* look(values, unit, asked.method) : null,
        wall: asked.wall ? wall(values, asked.wall) : null,
      };
    };
  }

  // ---- one after the other, the newest first ----------------------------------------------------

  const SLICE = 30; // milliseconds after which others have a turn
  const PATIENCE = 400; // milliseconds after which what nobody waits for is left

  const breath = () => new Promise((done) => setTimeout(done));

  /** Who answers to messages: `answer(message)` once for each, and `newer()` when one will follow. */
  function answering(network) {
    const read = reading(network);
    let newest = 0;
    let last = Promise.resolve();

    /** What was asked; null if a newer picture came before it was told. */
    async function answered({ asked, picture }) {
      const mine = newest;
      const began = performance.now();
      const steps = read(asked, picture);
      for (let slice = began; ; ) {
        const step = steps.next();
        if (step.done) return { told: step.value };
        if (performance.now() - slice <= SLICE) continue;
        await breath();
        slice = performance.now();
        if (mine !== newest && slice - began > PATIENCE) return { told: null };
      }
    }

    async function answer(message) {
      try {
        return await answered(message);
      } catch (error) {
        if (error instanceof Refused) return { refused: error.message };
        return { failed: String(error) };
      }
    }

    return {
      answer: (message) => (last = last.then(() => answer(message))),
      newer: () => newest++,
    };
  }

  Object.assign(phosphene, { answering });
});
