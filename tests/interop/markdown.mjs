/*
 * The chat page's Markdown under Node:
 *
 *     echo '["a **b**"]' | node markdown.mjs render servers/page    ["<p>…</p>"]
 *     … cuts …      each text split in two at many places, and by character: all the same?
 *     … long …      the same at fewer places
 *     … hostile …   the same at every place, with a check of all elements each time
 *     … fuzz …      the same as `cuts`, for random texts made from these pieces
 *     … work …      number of characters examined, with 800 characters shown at a time
 */

import { readFileSync } from "node:fs";
import { FakeElement, load } from "./page_modules.mjs";

const [command, folder, seed] = process.argv.slice(2);
const { markdownView } = await load(folder, "markdown/render.js");
const { work } = await load(folder, "markdown/inline.js");

const TAGS =
  "p h1 h2 h3 h4 h5 h6 ul ol li blockquote hr div pre code table tr th td span button a em strong del br b i u";
const ATTRIBUTES = "class dir href start tabindex target title";

/** Shows the text after each piece, checks the result, and returns the element. */
function show(pieces, look = () => {}) {
  const root = new FakeElement("x");
  const view = markdownView(root);
  for (const piece of pieces) {
    view.append(piece);
    view.show();
    look(root);
  }
  view.end();
  look(root);
  return root;
}

function render(pieces, look) {
  const root = show(pieces, look);
  return root.childNodes.map((group) => group.innerHTML).join("");
}

/** Allows only the listed elements, attributes and URL schemes. */
function inspect({ childNodes }) {
  for (const node of childNodes) {
    if (!(node instanceof FakeElement)) continue;
    if (!TAGS.split(" ").includes(node.tag)) throw new Error(`an element ${node.tag}`);
    for (const [property, value] of Object.entries(node.attributes)) {
      const name = { className: "class", tabIndex: "tabindex" }[property] ?? property;
      if (!ATTRIBUTES.split(" ").includes(name)) throw new Error(`an attribute ${name}`);
      if (name === "href" && !/^(https?:\/\/|mailto:)/i.test(value)) throw new Error(value);
    }
    inspect(node);
  }
}

/** For each text, the first split with a different result. */
function differing(texts, places, look) {
  return texts.flatMap((text) => {
    const whole = render([text], look);
    const step = Math.ceil(text.length / places);
    const offsets = Array.from({ length: text.length / step }, (_, index) => index * step);
    const differs = (pieces) => render(pieces, look) !== whole;
    // Character by character splits surrogate pairs, too.
    const small = text.match(text.length > 400 ? /[^]{1,17}/g : /[^]/g) ?? [];
    const found = differs(small)
      ? "in small pieces"
      : offsets.find((at) => differs([text.slice(0, at), text.slice(at)]));
    return found === undefined ? [] : [[text.slice(0, 60), found]];
  });
}

// A linear congruential generator: the same texts in each run with this seed.
let state = Number(seed);
const random = (below) => {
  state = (state * 1103515245 + 12345) % 2 ** 31;
  return Math.floor((state / 2 ** 31) * below);
};

const commands = {
  render: (texts) => texts.map((text) => render([text])),
  cuts: (texts) => differing(texts, 100),
  long: (texts) => differing(texts, 8),
  hostile: (texts) => differing(texts, 1e6, inspect),
  fuzz: (pieces) => {
    const make = () => pieces[random(pieces.length)];
    const texts = Array.from({ length: 50 }, () => Array.from({ length: 1 + random(24) }, make).join(""));
    return differing(texts, 3);
  },
  work: (texts) =>
    texts.map((text) => {
      const before = work.characters;
      show(text.match(/[^]{1,800}/g));
      return work.characters - before;
    }),
};

console.log(JSON.stringify(commands[command](JSON.parse(readFileSync(0)))));
