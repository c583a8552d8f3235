/*
 * Shows Markdown while it arrives: the tree of markdown.js becomes elements, once a frame.
 *
 * A block that is done is never touched again; of the last one only its unfinished part is. Elements
 * are made by createElement and text by text nodes: nothing that a model writes is ever parsed as
 * HTML, and all it can choose is an address, which inline.js has allowed.
 */

import { parseInline } from "./inline.js";
import { MarkdownParser } from "./markdown.js";
import { words } from "./words.js";

const TAGS = { paragraph: "p", quote: "blockquote", item: "li", rule: "hr", row: "tr" };

export class MarkdownView {
  #parser = new MarkdownParser();
  #root;

  /** @param {HTMLElement} element empty */
  constructor(element) {
    this.#root = { element, box: element, children: [], settled: 0 };
  }

  /** Takes text; it is seen after `show`. */
  append(text) {
    this.#parser.append(text);
  }

  show() {
    this.#parser.look(() => syncChildren(this.#root, this.#parser.document));
  }

  end() {
    this.#parser.end();
    syncChildren(this.#root, this.#parser.document);
  }
}

function syncChildren(view, { children }) {
  for (let index = view.settled; index < children.length; index += 1) {
    const node = children[index];
    const kind = [node.type, node.level, node.kind, node.start, node.isHead, node.align].join();
    let child = view.children[index];
    if (child?.kind !== kind) {
      const made = { kind, parts: [], children: [], settled: 0, tail: [], shown: [], ...build(node) };
      if (child) child.element.replaceWith(made.element);
      else view.box.append(made.element);
      view.children[index] = child = made;
    }
    sync(child, node);
    if (node.done && view.settled === index) view.settled += 1;
  }
  for (const { element } of view.children.splice(children.length)) element.remove();
}

function sync(view, node) {
  switch (node.type) {
    case "code":
      view.label.textContent = node.language;
      syncParts(view, node, (text) => make("span", { className: "part", textContent: text }));
      view.tail.data = node.text;
      break;
    case "paragraph":
    case "heading":
    case "cell":
      syncParts(view, node, (text) => make("span", {}, ...parseInline(text).nodes.map(toDom)));
      syncTail(view, parseInline(node.text).nodes);
      break;
    case "list":
      view.element.classList.toggle("loose", node.isLoose);
      syncChildren(view, node);
      break;
    case "item":
      view.element.className = node.task;
    // falls through
    default:
      syncChildren(view, node);
  }
}

function syncParts(view, { parts }, makePart) {
  let same = 0;
  while (same < view.parts.length && view.parts[same].text === parts[same]) same += 1;
  for (const { element } of view.parts.splice(same)) element.remove();
  for (const text of parts.slice(same)) {
    const element = makePart(text);
    view.box.insertBefore(element, view.box.childNodes[view.parts.length] ?? null);
    view.parts.push({ text, element });
  }
}

/** What is as it was stays: a reader may have selected it. */
function syncTail(view, nodes) {
  const { shown, tail } = view;
  let same = 0;
  while (same < shown.length && JSON.stringify(shown[same]) === JSON.stringify(nodes[same])) same += 1;
  const [before, now] = [shown[same], nodes[same]];
  if (typeof before === "string" && typeof now === "string" && now.startsWith(before)) {
    tail[same].appendData(now.slice(before.length));
    same += 1;
  }
  for (const old of tail.splice(same)) old.remove();
  const fresh = nodes.slice(same).map(toDom);
  view.box.append(...fresh);
  tail.push(...fresh);
  view.shown = nodes;
}

function build(node) {
  switch (node.type) {
    case "code": {
      const label = make("span", {});
      const tail = document.createTextNode("");
      const box = make("code", {}, tail);
      const bar = make("div", { className: "bar" }, label, make("button", {
        className: "copy", type: "button", textContent: words.copy,
      }));
      // Who has no mouse scrolls by keys.
      const pre = make("pre", { tabIndex: 0, dir: "ltr" }, box);
      return { element: make("div", { className: "code" }, bar, pre), box, label, tail };
    }
    case "table": {
      const box = make("table", {});
      return { element: make("div", { className: "table", tabIndex: 0, dir: "auto" }, box), box };
    }
    case "list": {
      const box = node.start === "" ? make("ul", { dir: "auto" }) : make("ol", { dir: "auto" });
      if (node.start > 1 || node.start === 0) box.start = node.start;
      return { element: box, box };
    }
    case "cell": {
      const box = make(node.isHead ? "th" : "td", { dir: "auto", className: node.align });
      return { element: box, box };
    }
    default: {
      const tag = node.type === "heading" ? `h${node.level}` : TAGS[node.type];
      const box = make(tag, tag === "hr" || tag === "tr" ? {} : { dir: "auto" });
      return { element: box, box };
    }
  }
}

function toDom(node) {
  if (typeof node === "string") return document.createTextNode(node);
  const element = make(node.tag, {}, ...node.children.map(toDom));
  if (node.tag === "a") {
    Object.assign(element, { href: node.href, target: "_blank", rel: "noopener noreferrer" });
  }
  return element;
}

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
