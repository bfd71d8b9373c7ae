// The bench of a page without a server: pictures go to a worker, which runs the network.
//
// The worker is made of the text of `phosphene.parts`, since a page of a disk may load none of a file.
// Where there can be none, the parts run here, a little at a time; and so does a network that needs a
// few milliseconds, which the way to a worker and back would double.

"use strict";

(() => {
  const { network, parts } = globalThis.phosphene;
  const [channels, height, width] = network.shape;
  const drawn = channels === 1 || channels === 3; // else pictures come from the data alone

  // ---- pictures and images ----------------------------------------------------------------------

  /** The picture of a canvas, in [0, 1]; grey is as Pillow has it. */
  function pixels(canvas) {
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const [area, found] = [height * width, new Float32Array(channels * height * width)];
    for (let i = 0; i < area; i++) {
      const r = data[4 * i];
      const g = data[4 * i + 1];
      const b = data[4 * i + 2];
      if (channels === 1) found[i] = ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16) / 255;
      else {
        found[i] = r / 255;
        found[area + i] = g / 255;
        found[2 * area + i] = b / 255;
      }
    }
    return found;
  }

  /** A picture of the data as it was kept, where no canvas can hold it. */
  function kept(name) {
    const text = network.kept?.[/^image:(\d+)$/.exec(name)?.[1]];
    if (!text) return null;
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Float32Array(bytes.buffer);
  }

  const sheet = document.createElement("canvas");

  /** An image as the text of a link. */
  function link({ width, height, bytes }) {
    if (sheet.width !== width || sheet.height !== height) [sheet.width, sheet.height] = [width, height];
    sheet.getContext("2d").putImageData(new ImageData(bytes, width, height), 0, 0);
    return sheet.toDataURL("image/png");
  }

  // ---- who runs the network ---------------------------------------------------------------------

  /** What the worker is, after its parts. */
  function listens() {
    let answering = null;
    self.onmessage = async ({ data }) => {
      if (data.network) answering = self.phosphene.answering(data.network);
      if (data.newer) answering.newer();
      if (data.message) self.postMessage({ id: data.id, answer: await answering.answer(data.message) });
      else if (data.network) self.postMessage({ ready: true });
    };
  }

  /** The network here, on the page's own thread. */
  function here() {
    for (const part of parts) part(globalThis.phosphene);
    return globalThis.phosphene.answering(network);
  }

  /** The network in a worker, which must say that it is there; else here. */
  function apart() {
    const text = `self.phosphene = {};${[...parts].map((part) => `(${part})(self.phosphene);`).join("")}(${listens})();`;
    const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const worker = new Worker(address);
    const [asked, waiting] = [new Map(), new Map()];
    let own = null; // who answers after the worker has failed
    let next = 0;
    worker.onmessage = ({ data }) => {
      if (data.ready) return URL.revokeObjectURL(address);
      waiting.get(data.id)?.(data.answer);
      waiting.delete(data.id);
      asked.delete(data.id);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      own ??= here();
      for (const [id, done] of waiting) own.answer(asked.get(id)).then(done);
      waiting.clear();
    };
    const { name, shape, zero, classes, output, unread, task, scores, layers, ops, numbers } = network;
    worker.postMessage({
      network: { name, shape, zero, classes, output, unread, task, scores, layers, ops, numbers },
    });
    return {
      newer: () => (own ? own.newer() : worker.postMessage({ newer: true })),
      answer: (message) => {
        if (own) return own.answer(message);
        const id = next++;
        asked.set(id, message);
        worker.postMessage({ id, message });
        return new Promise((done) => waiting.set(id, done));
      },
    };
  }

  const LIGHT = 10e6; // products of a network that runs on the page's own thread

  /** About how many products an operation is. */
  function work({ kind, shape, tensors, ...op }) {
    const size = shape.reduce((a, b) => a * b, 1);
    const numbers = (name) => tensors[name][1] - tensors[name][0];
    if (kind === "conv" || kind === "dense") return (numbers("weight") / numbers("bias")) * size;
    return kind === "matmul" ? size * op.k : size;
  }

  /** Whoever can, and does it soonest. */
  function runner() {
    if (network.ops.reduce((all, op) => all + work(op), 0) <= LIGHT) return here();
    try {
      return apart();
    } catch {
      return here();
    }
  }

  // ---- what the bench asks ----------------------------------------------------------------------

  const running = runner();

  /** An answer as a server would give it. */
  const answered = (status, answer) => ({ ok: status === 200, status, json: async () => answer });

  const reader = {
    own: true, // takes a canvas, and needs no text of it
    newer: () => running.newer(),
    async ask(what, asked, canvas) {
      const { unit, method, wall } = asked;
      const picture = drawn ? pixels(canvas) : kept(asked.picture);
      if (!picture) {
        const detail = `${network.name} takes ${channels} channels, which cannot be drawn or moved: take a picture from the data`;
        return answered(422, { detail });
      }
      const { told, refused, failed } = await running.answer({ asked: { unit, method, wall }, picture });
      if (failed) throw new Error(failed);
      if (refused) return answered(422, { detail: refused });
      if (!told) return answered(409, { detail: "a newer picture is read" });
      if (told.wall) told.wall.src = link(told.wall.sheet);
      return answered(200, told);
    },
    async image(number) {
      const found = network.images[number];
      return found ? answered(200, found) : answered(404, { detail: `image ${number} is not in this page` });
    },
    page(layer, unit) {
      const known = network.pages[layer];
      return known && known.units.includes(Number(unit)) ? `unit-${known.slug}-${unit}.html` : "";
    },
    lost: "this picture could not be read",
  };

  globalThis.phosphene.reader = reader;
})();
