// An engine that runs a network in the page: values of its layers forward, gradients back.
//
// The network is a list of operations (see `phosphene.live.mailed.program`). Values are counted: 0 is
// the picture, i what operation i - 1 gives. They are held in single precision, as PyTorch has them,
// and summed in double.

"use strict";

(() => {
  const size = (shape) => shape.reduce((a, b) => a * b, 1);

  /** The numbers of a network, which come as the text of single precision, lowest byte first. */
  function decoded(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const [view, numbers] = [new DataView(bytes.buffer), new Float64Array(bytes.length / 4)];
    for (let i = 0; i < numbers.length; i++) numbers[i] = view.getFloat32(4 * i, true);
    return numbers;
  }

  /** Where the places are on which all of a kernel's column or row falls into the picture. */
  function inside(count, extent, stride, offset) {
    const first = Math.max(0, Math.ceil(-offset / stride));
    const last = Math.min(count, Math.floor((extent - 1 - offset) / stride) + 1);
    return [first, last];
  }

  // ---- convolutions: patches of the picture as rows of a matrix ---------------------------------

  const ROWS = 256; // places at a time

  function geometry(op, shape) {
    const [c, h, w] = shape;
    const [o, oh, ow] = op.shape;
    const k = op.weight.length / o; // numbers of one kernel
    const [kh, kw] = op.kernel;
    const groups = op.groups;
    return { c: c / groups, h, w, o: o / groups, oh, ow, k, kh, kw, groups, ...op };
  }

  /** Visit every number of the patches of some places: in the matrix, and in the picture. */
  function patches(g, group, from, to, visit) {
    const { c, h, w, ow, kh, kw, k } = g;
    for (let place = from; place < to; place++) {
      const top = Math.floor(place / ow) * g.stride[0] - g.padding[0];
      const left = (place % ow) * g.stride[1] - g.padding[1];
      const [y0, y1] = inside(kh, h, g.dilation[0], top);
      const [x0, x1] = inside(kw, w, g.dilation[1], left);
      if (x1 <= x0) continue;
      for (let channel = 0; channel < c; channel++) {
        const plane = (group * c + channel) * h;
        for (let y = y0; y < y1; y++) {
          const row = (place - from) * k + (channel * kh + y) * kw;
          const start = (plane + top + y * g.dilation[0]) * w + left;
          visit(row + x0, start + x0 * g.dilation[1], x1 - x0, g.dilation[1]);
        }
      }
    }
  }

  const conv = {
    forward(op, [x], [shape]) {
      const g = geometry(op, shape);
      const { k, o } = g;
      const places = g.oh * g.ow;
      const [out, matrix] = [new Float32Array(size(op.shape)), new Float64Array(ROWS * k)];
      for (let group = 0; group < g.groups; group++) {
        for (let from = 0; from < places; from += ROWS) {
          const to = Math.min(from + ROWS, places);
          matrix.fill(0);
          patches(g, group, from, to, (row, start, count, step) => {
            for (let i = 0; i < count; i++) matrix[row + i] = x[start + i * step];
          });
          for (let unit = 0; unit < o; unit++) {
            products(op, matrix, k, group * o + unit, from, to, places, out);
          }
        }
      }
      return out;
    },
    backward(op, grad, [x], [shape]) {
      const g = geometry(op, shape);
      const { k, o, weight } = g;
      const places = g.oh * g.ow;
      const [out, matrix] = [new Float64Array(x.length), new Float64Array(ROWS * k)];
      for (let group = 0; group < g.groups; group++) {
        for (let from = 0; from < places; from += ROWS) {
          const to = Math.min(from + ROWS, places);
          matrix.fill(0);
          let any = false;
          for (let place = from; place < to; place++) {
            const row = (place - from) * k;
            for (let unit = group * o; unit < (group + 1) * o; unit++) {
              const by = grad[unit * places + place];
              if (by === 0) continue;
              any = true;
              for (let i = 0, j = unit * k; i < k; i++, j++) matrix[row + i] += by * weight[j];
            }
          }
          if (!any) continue;
          patches(g, group, from, to, (row, start, count, step) => {
            for (let i = 0; i < count; i++) out[start + i * step] += matrix[row + i];
          });
        }
      }
      return [out];
    },
  };

  /** What one unit answers to the patches of some places, four at a time. */
  function products(op, matrix, k, unit, from, to, places, out) {
    const [weight, bias, begin] = [op.weight, op.bias[unit], unit * k];
    let place = from;
    for (; place + 4 <= to; place += 4) {
      let a = 0;
      let b = 0;
      let c = 0;
      let d = 0;
      let p = (place - from) * k;
      for (let i = begin; i < begin + k; i++, p++) {
        const by = weight[i];
        a += by * matrix[p];
        b += by * matrix[p + k];
        c += by * matrix[p + 2 * k];
        d += by * matrix[p + 3 * k];
      }
      const at = unit * places + place;
      out[at] = a + bias;
      out[at + 1] = b + bias;
      out[at + 2] = c + bias;
      out[at + 3] = d + bias;
    }
    for (; place < to; place++) {
      let a = 0;
      for (let i = begin, p = (place - from) * k; i < begin + k; i++, p++) a += weight[i] * matrix[p];
      out[unit * places + place] = a + bias;
    }
  }

  const dense = {
    forward(op, [x]) {
      const [n, out] = [x.length, new Float32Array(op.bias.length)];
      const [wide, weight] = [new Float64Array(x), op.weight];
      for (let unit = 0; unit < out.length; unit++) {
        let a = 0;
        let b = 0;
        let i = 0;
        let j = unit * n;
        for (; i + 2 <= n; i += 2, j += 2) {
          a += weight[j] * wide[i];
          b += weight[j + 1] * wide[i + 1];
        }
        if (i < n) a += weight[j] * wide[i];
        out[unit] = a + b + op.bias[unit];
      }
      return out;
    },
    backward(op, grad, [x]) {
      const [out, weight] = [new Float64Array(x.length), op.weight];
      for (let unit = 0; unit < grad.length; unit++) {
        const by = grad[unit];
        if (by === 0) continue;
        for (let i = 0, j = unit * x.length; i < x.length; i++, j++) out[i] += by * weight[j];
      }
      return [out];
    },
  };

  // ---- place by place ---------------------------------------------------------------------------

  /** An operation on each number by itself, of its value and slope; `i` says which number. */
  const each = (value, slope) => ({
    forward: (op, [x], [shape]) => {
      const [out, f] = [new Float32Array(x.length), value(op, shape)];
      for (let i = 0; i < x.length; i++) out[i] = f(x[i], i);
      return out;
    },
    backward: (op, grad, [x], [shape], rule) => {
      const [out, f] = [new Float64Array(x.length), slope(op, shape, rule)];
      for (let i = 0; i < x.length; i++) if (grad[i] !== 0) out[i] = f(x[i], grad[i], i);
      return [out];
    },
  });

  /** Which entry of a short constant belongs to number i. */
  function entry(constant, shape) {
    const n = size(shape);
    if (constant.length === 1) return () => constant[0];
    if (constant.length === n) return (i) => constant[i];
    const area = n / constant.length;
    return (i) => constant[Math.floor(i / area)];
  }

  const affine = each(
    (op, shape) => {
      const [scale, shift] = [entry(op.scale, shape), entry(op.shift, shape)];
      return (x, i) => Math.fround(x * scale(i)) + shift(i);
    },
    (op, shape) => {
      const scale = entry(op.scale, shape);
      return (x, g, i) => g * scale(i);
    },
  );

  const ends = (op) => [op.low ?? -Infinity, op.high ?? Infinity];
  const clip = each(
    (op) => {
      const [low, high] = ends(op);
      return (x) => Math.min(Math.max(x, low), high);
    },
    (op, shape, rule) => {
      const [low, high] = ends(op);
      if (rule.backward && low === 0) {
        return (x, g) => (g > 0 && (!rule.forward || (x > low && x < high)) ? g : 0);
      }
      return op.edges
        ? (x, g) => (x >= low && x <= high ? g : 0)
        : (x, g) => (x > low && x < high ? g : 0);
    },
  );

  const leaky = each(
    (op) => (x) => (x > 0 ? x : x * op.slope),
    (op) => (x, g) => (x > 0 ? g : g * op.slope),
  );

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const ramp = (x) => Math.min(Math.max(x + 3, 0), 6) / 6;
  const POINTS = {
    sigmoid: [sigmoid, (x) => sigmoid(x) * (1 - sigmoid(x))],
    tanh: [Math.tanh, (x) => 1 - Math.tanh(x) ** 2],
    silu: [(x) => x * sigmoid(x), (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x)))],
    hardsigmoid: [ramp, (x) => (x > -3 && x < 3 ? 1 / 6 : 0)],
    log: [Math.log, (x) => 1 / x],
    hardswish: [(x) => x * ramp(x), (x) => (x < -3 ? 0 : x <= 3 ? x / 3 + 0.5 : 1)],
  };
  const point = each(
    (op) => POINTS[op.of][0],
    (op) => {
      const slope = POINTS[op.of][1];
      return (x, g) => g * slope(x);
    },
  );

  // ---- windows ----------------------------------------------------------------------------------

  /** Visit every window: its number, first row, last row, first column, last column, and area. */
  function windows(op, [c, h, w], visit) {
    let number = 0;
    for (let channel = 0; channel < c; channel++) {
      op.rows.forEach(([top, bottom], i) => {
        op.columns.forEach(([left, right], j) => {
          const area = op.heights ? op.heights[i] * op.widths[j] : 1;
          const start = channel * h * w;
          visit(number++, start + top * w, start + bottom * w, left, right, w, area);
        });
      });
    }
  }

  /** Where the largest number of each window is, the first of several. */
  function largestOf(op, x, shape) {
    const found = new Int32Array(size(op.shape));
    windows(op, shape, (number, top, bottom, left, right, w) => {
      let best = top + left;
      for (let row = top; row < bottom; row += w) {
        for (let i = row + left; i < row + right; i++) if (x[i] > x[best]) best = i;
      }
      found[number] = best;
    });
    return found;
  }

  const largest = {
    forward: (op, [x], [shape]) => Float32Array.from(largestOf(op, x, shape), (at) => x[at]),
    backward: (op, grad, [x], [shape]) => {
      const out = new Float64Array(x.length);
      largestOf(op, x, shape).forEach((at, i) => (out[at] += grad[i]));
      return [out];
    },
  };

  const average = {
    forward: (op, [x], [shape]) => {
      const out = new Float32Array(size(op.shape));
      windows(op, shape, (number, top, bottom, left, right, w, area) => {
        let sum = 0;
        for (let row = top; row < bottom; row += w) {
          for (let i = row + left; i < row + right; i++) sum += x[i];
        }
        out[number] = sum / area;
      });
      return out;
    },
    backward: (op, grad, [x], [shape]) => {
      const out = new Float64Array(x.length);
      windows(op, shape, (number, top, bottom, left, right, w, area) => {
        const share = grad[number] / area;
        for (let row = top; row < bottom; row += w) {
          for (let i = row + left; i < row + right; i++) out[i] += share;
        }
      });
      return [out];
    },
  };

  // ---- shapes and branches ----------------------------------------------------------------------

  const same = { forward: (op, [x]) => x, backward: (op, grad) => [grad] };

  /** An operation that only moves numbers: `from` says which of x each is, -1 for none. */
  const moves = (from, other = () => 0) => ({
    forward: (op, [x], [shape]) => {
      const [out, rest] = [new Float32Array(size(op.shape)), other(op)];
      from(op, shape).forEach((at, i) => (out[i] = at < 0 ? rest : x[at]));
      return out;
    },
    backward: (op, grad, [x], [shape]) => {
      const out = new Float64Array(x.length);
      from(op, shape).forEach((at, i) => at >= 0 && (out[at] += grad[i]));
      return [out];
    },
  });

  const take = moves((op, [c, ...rest]) => {
    const area = size(rest);
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

  const add = {
    forward: (op, [x, y]) => x.map((value, i) => value + op.by * y[i]),
    backward: (op, grad) => [grad, grad.map((g) => g * op.by)],
  };

  const times = {
    forward: (op, [x, y]) => {
      const area = x.length / y.length;
      return x.map((value, i) => value * y[Math.floor(i / area)]);
    },
    backward: (op, grad, [x, y]) => {
      const [area, other] = [x.length / y.length, new Float64Array(y.length)];
      grad.forEach((g, i) => (other[Math.floor(i / area)] += g * x[i]));
      return [grad.map((g, i) => g * y[Math.floor(i / area)]), other];
    },
  };

  const join = {
    forward: (op, given) => {
      const out = new Float32Array(size(op.shape));
      given.reduce((at, x) => (out.set(x, at), at + x.length), 0);
      return out;
    },
    backward: (op, grad, given) => {
      let at = 0;
      return given.map((x) => grad.slice(at, (at += x.length)));
    },
  };

  function shares(scores) {
    const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const powers = Float64Array.from(scores, (score) => Math.exp(score - most));
    const sum = powers.reduce((a, b) => a + b, 0);
    return { shares: powers.map((power) => power / sum), logarithm: most + Math.log(sum) };
  }

  const softmax = {
    forward: (op, [x]) => {
      const found = shares(x);
      return op.log ? x.map((value) => value - found.logarithm) : Float32Array.from(found.shares);
    },
    backward: (op, grad, [x]) => {
      const found = shares(x).shares;
      const sum = grad.reduce((all, g, i) => all + g * (op.log ? 1 : found[i]), 0);
      return [found.map((share, i) => (op.log ? grad[i] - share * sum : share * (grad[i] - sum)))];
    },
  };

  const KINDS = {
    conv, dense, affine, clip, leaky, point, largest, average,
    same, take, pad, add, times, join, softmax,
  };

  // ---- the engine -------------------------------------------------------------------------------

  /** How rectifiers hand a gradient back: by their slope, and if it is positive. */
  const RULES = {
    plain: { forward: true, backward: false },
    guided: { forward: true, backward: true },
    deconvnet: { forward: false, backward: true },
  };

  /** What runs a network. */
  function engine(network) {
    const numbers = decoded(network.numbers);
    const ops = network.ops.map(({ tensors, ...op }) => {
      const found = Object.entries(tensors).map(([name, [at, end]]) => [name, numbers.subarray(at, end)]);
      return { ...op, ...Object.fromEntries(found) };
    });
    const shapes = [network.shape, ...ops.map((op) => op.shape)];

    /** Which values some are made of. */
    function sources(wanted) {
      const found = new Set(wanted);
      for (let i = ops.length; i > 0; i--) if (found.has(i)) ops[i - 1].takes.forEach((x) => found.add(x));
      return found;
    }

    /** The values of a picture; only those that the wanted ones are made of are there. */
    function forward(picture, wanted) {
      const [values, found] = [[Float32Array.from(picture)], sources(wanted)];
      ops.forEach((op, i) => {
        if (!found.has(i + 1)) return;
        const given = op.takes.map((x) => values[x]);
        values[i + 1] = KINDS[op.kind].forward(op, given, op.takes.map((x) => shapes[x]));
      });
      return values;
    }

    /** The slope of number `at` of a value, by each number of the picture. */
    function backward(values, value, at, rule = "plain") {
      const grads = [];
      grads[value] = new Float64Array(values[value].length);
      grads[value][at] = 1;
      for (let i = value; i > 0; i--) {
        if (!grads[i]) continue;
        const op = ops[i - 1];
        const given = op.takes.map((x) => values[x]);
        const of = op.takes.map((x) => shapes[x]);
        KINDS[op.kind].backward(op, grads[i], given, of, RULES[rule]).forEach((grad, j) => {
          const x = op.takes[j];
          grads[x] = grads[x] ? grads[x].map((g, n) => g + grad[n]) : grad;
        });
        grads[i] = undefined;
      }
      return grads[0] ?? new Float64Array(values[0].length);
    }

    return { forward, backward, shapes };
  }

  globalThis.phosphene = Object.assign(globalThis.phosphene ?? {}, { engine, shares });
})();
