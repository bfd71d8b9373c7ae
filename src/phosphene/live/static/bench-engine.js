// An engine that runs a network in the page: values of its layers forward, gradients back.
//
// The network is a list of operations (see `phosphene.live.mailed.program`). Values are counted: 0 is
// the picture, i what operation i - 1 gives. They are held in single precision, as PyTorch has them,
// and summed in double. An operation writes its value into `out`, and adds slopes to those of what it
// takes; both lie where they lay the last time.

"use strict";

(globalThis.phosphene ??= {}).parts ??= [];

globalThis.phosphene.parts.push(function engineOf(phosphene) {
  const size = (shape) => shape.reduce((a, b) => a * b, 1);

  /** The numbers of a network, which come as the text of single precision, lowest byte first. */
  function decoded(text) {
    const letters = atob(text);
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
    const numbers = new Float32Array(bytes.buffer);
    if (new Uint8Array(Uint16Array.of(1).buffer)[0] === 1) return numbers;
    const view = new DataView(bytes.buffer); // the highest byte comes first here
    for (let i = 0; i < numbers.length; i++) numbers[i] = view.getFloat32(4 * i, true);
    return numbers;
  }

  // ---- place by place ---------------------------------------------------------------------------

  /** Which entry of a constant belongs to which number: how often each is repeated, and how many. */
  function entries(constant, op, n) {
    const last = op.last && constant.length > 1;
    return { constant, each: last ? 1 : n / constant.length, all: constant.length };
  }

  /** Visit all numbers with their scale and shift. */
  function scaled(op, n, visit) {
    const [scale, shift] = [entries(op.scale, op, n), entries(op.shift, op, n)];
    const each = Math.min(scale.each, shift.each);
    for (let i = 0; i < n; ) {
      const by = scale.constant[Math.floor(i / scale.each) % scale.all];
      const and = shift.constant[Math.floor(i / shift.each) % shift.all];
      visit(i, (i += each), by, and);
    }
  }

  const affine = {
    forward(op, [x], shapes, out) {
      scaled(op, x.length, (from, to, scale, shift) => {
        for (let i = from; i < to; i++) out[i] = Math.fround(x[i] * scale) + shift;
      });
    },
    backward(op, grad, [x], shapes, rule, [into]) {
      scaled(op, x.length, (from, to, scale) => {
        for (let i = from; i < to; i++) into[i] += grad[i] * scale;
      });
    },
  };

  const clip = {
    forward(op, [x], shapes, out) {
      const [low, high] = [op.low ?? -Infinity, op.high ?? Infinity];
      for (let i = 0; i < x.length; i++) out[i] = x[i] < low ? low : x[i] > high ? high : x[i];
    },
    backward(op, grad, [x], shapes, rule, [into]) {
      const [low, high] = [op.low ?? -Infinity, op.high ?? Infinity];
      const rectifies = rule.backward && low === 0;
      for (let i = 0; i < x.length; i++) {
        const open = op.edges && !rectifies ? x[i] >= low && x[i] <= high : x[i] > low && x[i] < high;
        const passes = rectifies ? grad[i] > 0 && (!rule.forward || open) : open;
        if (passes) into[i] += grad[i];
      }
    },
  };

  /** An operation on each number by itself, of its value and slope. */
  const each = (value, slope) => ({
    forward(op, [x], shapes, out) {
      const f = value(op);
      for (let i = 0; i < x.length; i++) out[i] = f(x[i]);
    },
    backward(op, grad, [x], shapes, rule, [into]) {
      const f = slope(op);
      for (let i = 0; i < x.length; i++) if (grad[i] !== 0) into[i] += grad[i] * f(x[i]);
    },
  });

  const leaky = each(
    (op) => (x) => (x > 0 ? x : x * op.slope),
    (op) => (x) => (x > 0 ? 1 : op.slope),
  );

  // ---- functions of single numbers --------------------------------------------------------------

  const bell = (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  const [STEP, FAR] = [1 / 256, 8];
  const table = new Float64Array(FAR / STEP + 2); // the normal distribution from 0 on

  /** Σ x^(2n+1) / (1 · 3 · … · (2n+1)), times the bell, is the normal distribution less a half. */
  for (let i = 1; i < table.length; i++) {
    const x = i * STEP;
    let [sum, term] = [0, x];
    for (let n = 1; term > 1e-18 * sum; n++, term *= (x * x) / (2 * n - 1)) sum += term;
    table[i] = Math.min(sum * bell(x), 0.5);
  }

  /** The normal distribution, between two entries of the table by a curve of their slopes. */
  function normal(x) {
    const far = Math.abs(x);
    if (far >= FAR) return x > 0 ? 1 : 0;
    const i = Math.floor(far / STEP);
    const t = far / STEP - i;
    const [a, b] = [STEP * bell(i * STEP), STEP * bell((i + 1) * STEP)];
    const rise = table[i + 1] - table[i];
    const found = table[i] + t * (a + t * (3 * rise - 2 * a - b + t * (a + b - 2 * rise)));
    return x > 0 ? 0.5 + found : 0.5 - found;
  }

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const ramp = (x) => Math.min(Math.max(x + 3, 0), 6) / 6;
  const softplus = (x) => (x > 20 ? x : Math.log1p(Math.exp(x)));
  const bent = (x) => Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3));
  const POINTS = {
    sigmoid: [sigmoid, (x) => sigmoid(x) * (1 - sigmoid(x))],
    tanh: [Math.tanh, (x) => 1 - Math.tanh(x) ** 2],
    silu: [(x) => x * sigmoid(x), (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x)))],
    hardsigmoid: [ramp, (x) => (x > -3 && x < 3 ? 1 / 6 : 0)],
    log: [Math.log, (x) => 1 / x],
    exp: [Math.exp, Math.exp],
    hardswish: [(x) => x * ramp(x), (x) => (x < -3 ? 0 : x <= 3 ? x / 3 + 0.5 : 1)],
    softplus: [softplus, sigmoid],
    mish: [
      (x) => x * Math.tanh(softplus(x)),
      (x) => Math.tanh(softplus(x)) + x * sigmoid(x) * (1 - Math.tanh(softplus(x)) ** 2),
    ],
    gelu: [(x) => x * normal(x), (x) => normal(x) + x * bell(x)],
    "gelu tanh": [
      (x) => 0.5 * x * (1 + bent(x)),
      (x) => 0.5 * (1 + bent(x)) +
        0.5 * x * (1 - bent(x) ** 2) * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x),
    ],
  };
  const point = each((op) => POINTS[op.of][0], (op) => POINTS[op.of][1]);

  // ---- windows ----------------------------------------------------------------------------------

  /** Visit every window: its number, first row, last row, first column, last column, and area. */
  function windows(op, shape, visit) {
    const [c, h, w] = op.seen ?? shape;
    const [rows, columns] = [op.rows, op.columns];
    let number = 0;
    for (let channel = 0; channel < c; channel++) {
      const start = channel * h * w;
      for (let i = 0; i < rows.length; i++) {
        const [top, bottom] = [start + rows[i][0] * w, start + rows[i][1] * w];
        for (let j = 0; j < columns.length; j++) {
          const area = op.heights ? op.heights[i] * op.widths[j] : 1;
          visit(number++, top, bottom, columns[j][0], columns[j][1], w, area);
        }
      }
    }
  }

  /** Where the largest number of each window is, the first of several. */
  function largestOf(op, x, shape, visit) {
    windows(op, shape, (number, top, bottom, left, right, w) => {
      let best = top + left;
      for (let row = top; row < bottom; row += w) {
        for (let i = row + left; i < row + right; i++) if (x[i] > x[best]) best = i;
      }
      visit(number, best);
    });
  }

  const largest = {
    forward: (op, [x], [shape], out) => largestOf(op, x, shape, (i, at) => (out[i] = x[at])),
    backward: (op, grad, [x], [shape], rule, [into]) =>
      largestOf(op, x, shape, (i, at) => (into[at] += grad[i])),
  };

  const average = {
    forward: (op, [x], [shape], out) =>
      windows(op, shape, (number, top, bottom, left, right, w, area) => {
        let sum = 0;
        for (let row = top; row < bottom; row += w) {
          for (let i = row + left; i < row + right; i++) sum += x[i];
        }
        out[number] = sum / area;
      }),
    backward: (op, grad, [x], [shape], rule, [into]) =>
      windows(op, shape, (number, top, bottom, left, right, w, area) => {
        const share = grad[number] / area;
        if (share === 0) return;
        for (let row = top; row < bottom; row += w) {
          for (let i = row + left; i < row + right; i++) into[i] += share;
        }
      }),
  };

  // ---- shapes and branches ----------------------------------------------------------------------

  /** An operation that only moves numbers: `from` says which of x each is, -1 for none. */
  const moves = (from, rest = () => 0) => ({
    forward(op, [x], [shape], out) {
      const [places, other] = [(op.places ??= from(op, shape)), rest(op)];
      for (let i = 0; i < places.length; i++) out[i] = places[i] < 0 ? other : x[places[i]];
    },
    backward(op, grad, [x], [shape], rule, [into]) {
      const places = (op.places ??= from(op, shape));
      for (let i = 0; i < places.length; i++) if (places[i] >= 0) into[places[i]] += grad[i];
    },
  });

  const take = moves((op, [c, ...others]) => {
    const area = size(others);
    return Int32Array.from({ length: size(op.shape) }, (_, i) => {
      return op.channels[Math.floor(i / area)] * area + (i % area);
    });
  });

  const pad = moves(
    (op, [c, h, w]) => {
      const [, oh, ow] = op.shape;
      return Int32Array.from({ length: size(op.shape) }, (_, i) => {
        const channel = Math.floor(i / (oh * ow));
        const [y, x] = [(Math.floor(i / ow) % oh) - op.top, (i % ow) - op.left];
        return y >= 0 && y < h && x >= 0 && x < w ? (channel * h + y) * w + x : -1;
      });
    },
    (op) => op.value,
  );

  const move = moves((op) => {
    if (op.from) return Int32Array.from(op.from);
    return Int32Array.from({ length: size(op.sizes) }, (_, i) => {
      let [at, rest] = [op.begin, i];
      for (let axis = op.sizes.length - 1; axis >= 0; axis--) {
        at += (rest % op.sizes[axis]) * op.strides[axis];
        rest = Math.floor(rest / op.sizes[axis]);
      }
      return at;
    });
  });

  const add = {
    forward(op, [x, y], shapes, out) {
      for (let i = 0; i < x.length; i++) out[i] = x[i] + op.by * y[i];
    },
    backward(op, grad, given, shapes, rule, [intoX, intoY]) {
      for (let i = 0; i < grad.length; i++) intoX[i] += grad[i];
      for (let i = 0; i < grad.length; i++) intoY[i] += grad[i] * op.by;
    },
  };

  const times = {
    forward(op, [x, y], shapes, out) {
      const area = x.length / y.length;
      for (let i = 0; i < x.length; i++) out[i] = x[i] * y[Math.floor(i / area)];
    },
    backward(op, grad, [x, y], shapes, rule, [intoX, intoY]) {
      const area = x.length / y.length;
      for (let i = 0; i < grad.length; i++) {
        const j = Math.floor(i / area);
        intoX[i] += grad[i] * y[j];
        intoY[j] += grad[i] * x[i];
      }
    },
  };

  /** Values and constants one after the other; `parts` has the name of each constant. */
  const join = {
    forward(op, given, shapes, out) {
      let [at, next] = [0, 0];
      for (const name of op.parts) {
        const part = name === null ? given[next++] : op[name];
        out.set(part, at);
        at += part.length;
      }
    },
    backward(op, grad, given, shapes, rule, into) {
      let [at, next] = [0, 0];
      for (const name of op.parts) {
        const part = name === null ? into[next++] : null;
        for (let i = 0; part && i < part.length; i++) part[i] += grad[at + i];
        at += (part ?? op[name]).length;
      }
    },
  };

  // ---- rows -------------------------------------------------------------------------------------

  function shares(scores) {
    const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const powers = Float64Array.from(scores, (score) => Math.exp(score - most));
    const sum = powers.reduce((a, b) => a + b, 0);
    return { shares: powers.map((power) => power / sum), logarithm: most + Math.log(sum) };
  }

  /** Visit rows of equal length: what they are, and where each begins. */
  function rowsOf(op, x, visit) {
    const n = x.length / op.rows;
    for (let at = 0; at < x.length; at += n) visit(x.subarray(at, at + n), at, n);
  }

  const softmax = {
    forward: (op, [x], shapes, out) =>
      rowsOf(op, x, (row, at) => {
        const found = shares(row);
        out.set(op.log ? row.map((value) => value - found.logarithm) : found.shares, at);
      }),
    backward: (op, grad, [x], shapes, rule, [into]) =>
      rowsOf(op, x, (row, at, n) => {
        const found = shares(row).shares;
        let sum = 0;
        for (let i = 0; i < n; i++) sum += grad[at + i] * (op.log ? 1 : found[i]);
        for (let i = 0; i < n; i++) {
          into[at + i] += op.log ? grad[at + i] - found[i] * sum : found[i] * (grad[at + i] - sum);
        }
      }),
  };

  /** The mean of a row, and by what its deviations are divided. */
  function moments(row, eps) {
    let [mean, square] = [0, 0];
    for (let i = 0; i < row.length; i++) mean += row[i];
    mean /= row.length;
    for (let i = 0; i < row.length; i++) square += (row[i] - mean) ** 2;
    return [mean, Math.sqrt(square / row.length + eps)];
  }

  const norm = {
    forward: (op, [x], shapes, out) =>
      rowsOf(op, x, (row, at, n) => {
        const [mean, deviation] = moments(row, op.eps);
        for (let i = 0; i < n; i++) out[at + i] = (row[i] - mean) / deviation;
      }),
    backward: (op, grad, [x], shapes, rule, [into]) =>
      rowsOf(op, x, (row, at, n) => {
        const [mean, deviation] = moments(row, op.eps);
        let [sum, along] = [0, 0];
        for (let i = 0; i < n; i++) {
          sum += grad[at + i] / n;
          along += (grad[at + i] * (row[i] - mean)) / deviation / n;
        }
        for (let i = 0; i < n; i++) {
          into[at + i] += (grad[at + i] - sum - ((row[i] - mean) / deviation) * along) / deviation;
        }
      }),
  };

  const KINDS = {
    ...phosphene.kinds, affine, clip, leaky, point, largest, average,
    take, pad, move, add, times, join, softmax, norm,
  };

  // ---- the engine -------------------------------------------------------------------------------

  /** How rectifiers hand a gradient back: by their slope, and if it is positive. */
  const RULES = {
    plain: { forward: true, backward: false },
    guided: { forward: true, backward: true },
    deconvnet: { forward: false, backward: true },
  };

  /** What runs a network; what runs step by step can be left between two operations. */
  function engine(network) {
    const numbers = decoded(network.numbers);
    const ops = network.ops.map(({ tensors, ...op }) => {
      const found = Object.entries(tensors).map(([name, [at, end]]) => [name, numbers.subarray(at, end)]);
      return { ...op, ...Object.fromEntries(found) };
    });
    const shapes = [network.shape, ...ops.map((op) => op.shape)];
    const [values, slopes] = [[], []]; // where they lie

    /** Which values some are made of. */
    function sources(wanted) {
      const found = new Set(wanted);
      for (let i = ops.length; i > 0; i--) if (found.has(i)) ops[i - 1].takes.forEach((x) => found.add(x));
      return found;
    }

    /** The values of a picture until the next; only those that the wanted ones are made of. */
    function* running(picture, wanted) {
      const [made, found] = [[Float32Array.from(picture)], sources(wanted)];
      for (let i = 1; i <= ops.length; i++) {
        if (!found.has(i)) continue;
        const op = ops[i - 1];
        const given = op.takes.map((x) => made[x]);
        if (op.kind === "same") made[i] = given[0];
        else {
          made[i] = values[i] ??= new Float32Array(size(op.shape));
          KINDS[op.kind].forward(op, given, op.takes.map((x) => shapes[x]), made[i]);
          yield;
        }
      }
      return made;
    }

    /** The slope of number `at` of a value, by each number of the picture. */
    function* leading(made, value, at, rule = "plain") {
      const grads = [];
      const begun = (x) => (grads[x] ??= (slopes[x] ??= new Float64Array(size(shapes[x]))).fill(0));
      begun(value)[at] = 1;
      for (let i = value; i > 0; i--) {
        if (!grads[i]) continue;
        const op = ops[i - 1];
        const into = op.takes.map(begun);
        if (op.kind === "same") for (let n = 0; n < grads[i].length; n++) into[0][n] += grads[i][n];
        else {
          const given = op.takes.map((x) => made[x]);
          const of = op.takes.map((x) => shapes[x]);
          KINDS[op.kind].backward(op, grads[i], given, of, RULES[rule], into);
          yield;
        }
      }
      return begun(0).slice();
    }

    const forward = (picture, wanted) => finished(running(picture, wanted));
    const backward = (...asked) => finished(leading(...asked));
    return { running, leading, forward, backward, shapes };
  }

  /** What steps come to, all at once. */
  function finished(steps) {
    let step = steps.next();
    while (!step.done) step = steps.next();
    return step.value;
  }

  Object.assign(phosphene, { engine, shares, finished });
});
