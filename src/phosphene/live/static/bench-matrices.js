// Products of matrices for the engine: convolutions, linear layers, and values times values.
//
// Scripts of the engine are functions of what they add to, so that a worker can be made of their text.

"use strict";

(globalThis.phosphene ??= {}).parts ??= [];

globalThis.phosphene.parts.push(function matrices(phosphene) {
  const MOST = 65536; // numbers of the patches that are taken at a time
  const DENSE = 0.3; // from this share of slopes that are not zero on all of them are multiplied

  const held = new Map();
  /** Room for at least `n` numbers, of which nothing is known: used again and again. */
  function scratch(name, n, Kind = Float64Array) {
    let found = held.get(name);
    if (!found || found.length < n) held.set(name, (found = new Kind(n)));
    return found;
  }

  /** A matrix of `rows` x `columns` with its axes exchanged. */
  function turned(x, at, rows, columns, out) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0, i = at + row * columns; column < columns; column++, i++) {
        out[column * rows + row] = x[i];
      }
    }
    return out;
  }

  /**
   * out[at + unit · su + place · sp] = (what is there +) bias[unit] + by · Σ_k a[unit, k] · b[k, place]
   *
   * for all units and places. `a` has rows of k from `a.at` on, `b` rows of `b.wide` from `b.at` on.
   * For speed `a` is always in single precision and `b` in double.
   */
  function multiply(a, b, k, units, places, out, { at, su, sp, bias = null, first = 0, add = false, by = 1 }) {
    const [x, y, wide] = [a.numbers, b.numbers, b.wide];
    const put = (unit, place, sum) => {
      const i = at + unit * su + place * sp;
      const found = by * sum + (bias ? bias[first + unit] : 0);
      out[i] = add ? out[i] + found : found;
    };
    let unit = 0;
    for (; unit + 2 <= units; unit += 2) {
      const one = a.at + unit * k;
      const end = one + k;
      let place = 0;
      for (; place + 4 <= places; place += 4) {
        let p0 = 0;
        let p1 = 0;
        let p2 = 0;
        let p3 = 0;
        let q0 = 0;
        let q1 = 0;
        let q2 = 0;
        let q3 = 0;
        for (let i = one, j = end, n = b.at + place; i < end; i++, j++, n += wide) {
          const y0 = y[n];
          const y1 = y[n + 1];
          const y2 = y[n + 2];
          const y3 = y[n + 3];
          const p = x[i];
          p0 += p * y0;
          p1 += p * y1;
          p2 += p * y2;
          p3 += p * y3;
          const q = x[j];
          q0 += q * y0;
          q1 += q * y1;
          q2 += q * y2;
          q3 += q * y3;
        }
        put(unit, place, p0);
        put(unit, place + 1, p1);
        put(unit, place + 2, p2);
        put(unit, place + 3, p3);
        put(unit + 1, place, q0);
        put(unit + 1, place + 1, q1);
        put(unit + 1, place + 2, q2);
        put(unit + 1, place + 3, q3);
      }
      for (; place < places; place++) {
        let p = 0;
        let q = 0;
        for (let i = one, j = end, n = b.at + place; i < end; i++, j++, n += wide) {
          p += x[i] * y[n];
          q += x[j] * y[n];
        }
        put(unit, place, p);
        put(unit + 1, place, q);
      }
    }
    if (unit === units) return;
    for (let place = 0; place < places; place++) {
      let sum = 0;
      for (let i = 0, n = b.at + place; i < k; i++, n += wide) sum += x[a.at + unit * k + i] * y[n];
      put(unit, place, sum);
    }
  }

  /** Add to `out` the rows of k weights, each as often as its slope says; whether there is one. */
  function spread(weight, begin, slopes, at, step, units, k, out, to) {
    let any = false;
    const rows = [0, 0, 0, 0];
    const by = [0.1, 0.1, 0.1, 0.1]; // doubles from the beginning, which is quicker
    let found = 0;
    for (let unit = 0; unit < units; unit++) {
      const slope = slopes[at + unit * step];
      if (slope !== 0) {
        rows[found] = (begin + unit) * k;
        by[found++] = slope;
      }
      if (found === 4 || (found && unit + 1 === units)) {
        for (; found < 4; found++) {
          rows[found] = rows[0];
          by[found] = 0;
        }
        any = true;
        found = 0;
        let a = rows[0];
        let b = rows[1];
        let c = rows[2];
        let d = rows[3];
        const p = by[0];
        const q = by[1];
        const r = by[2];
        const s = by[3];
        for (let i = to, end = to + k; i < end; i++) {
          out[i] += p * weight[a++] + q * weight[b++] + r * weight[c++] + s * weight[d++];
        }
      }
    }
    return any;
  }

  // ---- convolutions: patches of the picture as columns of a matrix ------------------------------

  /** What a convolution needs to know of its sides, once. */
  function geometry(op, [channels, h, w]) {
    const [o, oh, ow] = op.shape;
    const [kh, kw] = op.kernel;
    const k = op.weight.length / o; // numbers of one kernel
    const rows = Math.max(1, Math.min(oh, Math.floor(MOST / k / ow)));
    return { ...op, c: channels / op.groups, h, w, o: o / op.groups, oh, ow, k, kh, kw, rows };
  }

  /** Where the places are on which a kernel's column falls into the picture. */
  function inside(count, extent, stride, offset) {
    const first = Math.max(0, Math.ceil(-offset / stride));
    const last = Math.min(count, Math.floor((extent - 1 - offset) / stride) + 1);
    return [first, Math.max(first, last)];
  }

  /**
   * Visit some rows of places for each number of a kernel: where they begin in the matrix and in the
   * picture, from which to which of the row are inside of it, and the number of the kernel.
   */
  function patches(g, group, from, to, visit) {
    const { c, h, w, ow, kh, kw, stride, padding, dilation } = g;
    let entry = 0;
    for (let channel = group * c; channel < (group + 1) * c; channel++) {
      for (let y = 0; y < kh; y++) {
        for (let x = 0; x < kw; x++, entry++) {
          const left = x * dilation[1] - padding[1];
          const [first, last] = inside(ow, w, stride[1], left);
          for (let row = from; row < to; row++) {
            const source = row * stride[0] - padding[0] + y * dilation[0];
            const start = (channel * h + source) * w + left + first * stride[1];
            const there = source >= 0 && source < h;
            visit((entry * (to - from) + row - from) * ow, start, first, there ? last : first, entry);
          }
        }
      }
    }
  }

  /** The patches of some rows of places, one number of the kernel after the other. */
  function columns(g, group, from, to, x, matrix) {
    const [ow, step] = [g.ow, g.stride[1]];
    patches(g, group, from, to, (begin, start, first, last) => {
      for (let i = 0; i < first; i++) matrix[begin + i] = 0;
      for (let i = first, j = start; i < last; i++, j += step) matrix[begin + i] = x[j];
      for (let i = last; i < ow; i++) matrix[begin + i] = 0;
    });
  }

  const conv = {
    forward(op, [x], [shape], out) {
      const g = (op.geometry ??= geometry(op, shape));
      const { k, o, oh, ow } = g;
      const matrix = scratch("patches", k * g.rows * ow);
      for (let group = 0; group < op.groups; group++) {
        if (g.c === 1 && o === 1) {
          plane(g, op, group, x, out);
          continue;
        }
        for (let from = 0; from < oh; from += g.rows) {
          const to = Math.min(from + g.rows, oh);
          const wide = (to - from) * ow;
          columns(g, group, from, to, x, matrix);
          const [a, b] = [{ numbers: op.weight, at: group * o * k }, { numbers: matrix, at: 0, wide }];
          const where = { at: group * o * oh * ow + from * ow, su: oh * ow, sp: 1 };
          multiply(a, b, k, o, wide, out, { ...where, bias: op.bias, first: group * o });
        }
      }
    },
    backward(op, grad, [x], [shape], rule, [into]) {
      const g = (op.geometry ??= geometry(op, shape));
      let some = 0;
      for (let i = 0; i < grad.length; i++) if (grad[i] !== 0) some++;
      for (let group = 0; group < op.groups; group++) {
        if (g.c === 1 && g.o === 1) planeBack(g, op, group, grad, into);
        else if (some > DENSE * grad.length) all(g, op, group, grad, into);
        else few(g, op, group, grad, into);
      }
    },
  };

  /** One channel that makes one, as where each has a kernel of its own. */
  function plane(g, op, group, x, out) {
    const { k, oh, ow } = g;
    const [step, places] = [g.stride[1], oh * ow];
    const sums = scratch("plane", places).fill(op.bias[group], 0, places);
    patches(g, group, 0, oh, (begin, start, first, last, entry) => {
      const by = op.weight[group * k + entry];
      let at = begin - entry * places + first;
      for (let i = first, j = start; i < last; i++, j += step) sums[at++] += by * x[j];
    });
    for (let i = 0, at = group * places; i < places; i++, at++) out[at] = sums[i];
  }

  function planeBack(g, op, group, grad, into) {
    const { k, oh, ow } = g;
    const [step, places] = [g.stride[1], oh * ow];
    patches(g, group, 0, oh, (begin, start, first, last, entry) => {
      const by = op.weight[group * k + entry];
      let at = begin + (group - entry) * places + first;
      for (let i = first, j = start; i < last; i++, j += step) into[j] += by * grad[at++];
    });
  }

  /** Slopes of all places at once. */
  function all(g, op, group, grad, into) {
    const { k, o, oh, ow } = g;
    const step = g.stride[1];
    op.turned ??= [];
    const numbers = (op.turned[group] ??= turned(op.weight, group * o * k, o, k, new Float32Array(o * k)));
    const matrix = scratch("patches", k * g.rows * ow);
    for (let from = 0; from < oh; from += g.rows) {
      const to = Math.min(from + g.rows, oh);
      const wide = (to - from) * ow;
      const slopes = { numbers: grad, at: group * o * oh * ow + from * ow, wide: oh * ow };
      multiply({ numbers, at: 0 }, slopes, o, k, wide, matrix, { at: 0, su: wide, sp: 1 });
      patches(g, group, from, to, (begin, start, first, last) => {
        for (let i = first, j = start; i < last; i++, j += step) into[j] += matrix[begin + i];
      });
    }
  }

  /** Slopes of which most are zero: the patch of each place by itself. */
  function few(g, op, group, grad, into) {
    const { c, h, w, k, o, oh, ow, kh, kw, stride, padding, dilation } = g;
    const patch = scratch("patch", k).fill(0, 0, k);
    for (let place = 0; place < oh * ow; place++) {
      const first = group * o;
      if (!spread(op.weight, first, grad, first * oh * ow + place, oh * ow, o, k, patch, 0)) continue;
      const top = Math.floor(place / ow) * stride[0] - padding[0];
      const left = (place % ow) * stride[1] - padding[1];
      const [y0, y1] = inside(kh, h, dilation[0], top);
      const [x0, x1] = inside(kw, w, dilation[1], left);
      for (let channel = 0; channel < c; channel++) {
        for (let y = y0; y < y1; y++) {
          const row = (channel * kh + y) * kw;
          const start = ((group * c + channel) * h + top + y * dilation[0]) * w + left;
          for (let i = x0; i < x1; i++) into[start + i * dilation[1]] += patch[row + i];
        }
      }
      patch.fill(0, 0, k);
    }
  }

  // ---- linear layers ----------------------------------------------------------------------------

  const dense = {
    forward(op, [x], shapes, out) {
      const { weight, bias } = op;
      const [k, units] = [weight.length / bias.length, bias.length];
      const rows = x.length / k;
      if (rows === 1) return single(weight, bias, x, k, units, out);
      const b = { numbers: turned(x, 0, rows, k, scratch("turned", x.length)), at: 0, wide: rows };
      multiply({ numbers: weight, at: 0 }, b, k, units, rows, out, { at: 0, su: 1, sp: units, bias });
    },
    backward(op, grad, [x], shapes, rule, [into]) {
      const units = op.bias.length;
      const k = op.weight.length / units;
      for (let row = 0; row < x.length / k; row++) {
        spread(op.weight, 0, grad, row * units, 1, units, k, into, row * k);
      }
    },
  };

  /** One row: each weight is read once, and that is what takes the time. */
  function single(weight, bias, x, k, units, out) {
    const wide = scratch("row", k);
    wide.set(x);
    for (let unit = 0; unit < units; unit += 2) {
      const [one, other] = [unit * k, Math.min(unit + 1, units - 1) * k];
      let a = 0;
      let b = 0;
      for (let i = 0; i < k; i++) {
        a += weight[one + i] * wide[i];
        b += weight[other + i] * wide[i];
      }
      out[unit] = a + bias[unit];
      if (unit + 1 < units) out[unit + 1] = b + bias[unit + 1];
    }
  }

  // ---- values times values: m x k by k x n, or by n x k if it is turned -------------------------

  const matmul = {
    forward(op, [x, y], shapes, out) {
      const { batches, m, k, n, by } = op;
      const [left, right] = [scratch("turned", m * k), scratch("right", k * n, Float32Array)];
      for (let batch = 0; batch < batches; batch++) {
        const units = op.turned
          ? { numbers: y, at: batch * k * n }
          : { numbers: turned(y, batch * k * n, k, n, right), at: 0 };
        const b = { numbers: turned(x, batch * m * k, m, k, left), at: 0, wide: m };
        multiply(units, b, k, n, m, out, { at: batch * m * n, su: 1, sp: n, by });
      }
    },
    backward(op, grad, [x, y], shapes, rule, [intoX, intoY]) {
      const { batches, m, k, n, by } = op;
      const left = scratch("left", m * k, Float32Array);
      const right = scratch("right", k * n, Float32Array);
      const slopes = scratch("slopes", m * n);
      for (let batch = 0; batch < batches; batch++) {
        const [atX, atY, at] = [batch * m * k, batch * k * n, batch * m * n];
        const rows = op.turned
          ? { numbers: turned(y, atY, n, k, right), at: 0 }
          : { numbers: y, at: atY };
        const b = { numbers: turned(grad, at, m, n, slopes), at: 0, wide: m };
        multiply(rows, b, n, k, m, intoX, { at: atX, su: 1, sp: k, by, add: true });
        const a = { numbers: turned(x, atX, m, k, left), at: 0 };
        const [su, sp] = op.turned ? [1, k] : [n, 1];
        multiply(a, { numbers: grad, at, wide: n }, m, k, n, intoY, { at: atY, su, sp, by, add: true });
      }
    },
  };

  phosphene.kinds = { conv, dense, matmul };
});
