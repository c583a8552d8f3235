/*
 * Loads the chat page's modules under Node, with a minimal fake document.
 *
 *     const { markdownView } = await load("servers/page", "markdown/render.js");
 *     const root = new FakeElement("div");
 *     …
 *     root.outerHTML
 */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

globalThis.navigator ??= { language: "en" };

/** Browsers detect a module by its script tag; old versions of Node need .mjs. */
export async function load(folder, name) {
  return import(address(folder, name));
}

const addresses = new Map();

/** Loads `source` in place of this module. */
export function replaceModule(folder, name, source) {
  addresses.set(join(folder, name), `data:text/javascript,${encodeURIComponent(source)}`);
}

function address(folder, name) {
  const path = join(folder, name);
  if (!addresses.has(path)) {
    const source = readFileSync(path, "utf8").replace(
      /"(\.\.?\/[\w/-]+\.js)"/g,
      (_, other) => `"${address(dirname(path), other)}"`,
    );
    const encoded = Buffer.from(source).toString("base64");
    addresses.set(path, `data:text/javascript;base64,${encoded}`);
  }
  return addresses.get(path);
}

class FakeNode {
  parent = null;

  remove() {
    if (!this.parent) return;
    this.parent.childNodes.splice(this.parent.childNodes.lastIndexOf(this), 1);
    this.parent = null;
  }

  replaceWith(other) {
    this.parent.insertBefore(other, this);
    this.remove();
  }
}

class FakeText extends FakeNode {
  constructor(data) {
    super();
    this.data = data;
  }

  appendData(more) {
    this.data += more;
  }

  get outerHTML() {
    return this.data.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign]);
  }
}

// The names in the tests' texts. A test with a browser compares all 2,125.
const NAMES = {
  AElig: "Æ", ClockwiseContourIntegral: "∲", Dcaron: "Ď", DifferentialD: "ⅆ", HilbertSpace: "ℋ",
  amp: "&", auml: "ä", copy: "©", frac34: "¾", gt: ">", lt: "<", mdash: "—", nbsp: "\xa0",
  ngE: "≧̸", ouml: "ö", quot: '"', rarr: "→", Tab: "\t", colon: ":",
};

const WRITTEN = { className: "class", tabIndex: "tabindex" };

/** Turns properties into attributes; an unknown property is an error. */
export class FakeElement extends FakeNode {
  value = "";
  childNodes = [];
  attributes = {};

  constructor(tag) {
    super();
    this.tag = tag;
    Object.preventExtensions(this);
  }

  get firstChild() {
    return this.childNodes[0];
  }

  append(...children) {
    for (const child of children) this.insertBefore(child, null);
  }

  insertBefore(child, before) {
    const node = typeof child === "string" ? new FakeText(child) : child;
    node.parent && node.remove();
    const index = before ? this.childNodes.indexOf(before) : this.childNodes.length;
    this.childNodes.splice(index, 0, node);
    node.parent = this;
  }

  /** As a textarea does it. */
  set innerHTML(reference) {
    this.value = NAMES[reference.slice(1, -1)] ?? reference;
  }

  get outerHTML() {
    const set = Object.entries(this.attributes).filter(([, value]) => value !== "");
    const attributes = set.map(([name, value]) => ` ${WRITTEN[name] ?? name}="${value}"`).sort();
    const end = ["br", "hr"].includes(this.tag) ? "" : `</${this.tag}>`;
    return `<${this.tag}${attributes.join("")}>${this.innerHTML}${end}`;
  }

  get innerHTML() {
    return this.childNodes.map((child) => child.outerHTML).join("");
  }
}

for (const name of ["className", "dir", "tabIndex", "href", "target", "rel", "start", "title", "type"]) {
  Object.defineProperty(FakeElement.prototype, name, {
    get() {
      return this.attributes[name] ?? "";
    },
    set(value) {
      this.attributes[name] = String(value);
    },
  });
}

globalThis.document = {
  createElement: (tag) => new FakeElement(tag),
  createTextNode: (data) => new FakeText(data),
};
