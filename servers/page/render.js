/*
 * Shows Markdown while it arrives: the tree of markdown.js becomes elements, once a frame.
 *
 * A block that is done is never touched again. Elements are made by createElement, text by text
 * nodes: nothing that a model writes is parsed as HTML, and the addresses inline.js has allowed.
 */

import { parseInline } from "./inline.js";
import { MarkdownParser } from "./markdown.js";
import { words } from "./words.js";

export class MarkdownView {
  #parser = new MarkdownParser();
  #root;

  constructor(element) {
    this.#root = viewOf(this.#parser.document, element);
  }

  append(text) {
    this.#parser.append(text);
  }

  show() {
    this.#parser.look(() => sync(this.#root, this.#parser.document));
  }

  end() {
    this.#parser.end();
    sync(this.#root, this.#parser.document);
  }
}

/** `settled`: how many of the children are done and shown. */
function viewOf(node, element, box = element) {
  return { kind: kindOf(node), element, box, children: [], settled: 0, nodes: [], shown: [] };
}

/** What makes another element of it. */
function kindOf({ type, level, start, kind, isHead, align }) {
  return [type, level, start, kind, isHead, align].join();
}

function sync(view, node) {
  if (node.type === "part") return syncText(view, node.text);
  if (node.type === "list") view.element.className = node.isLoose ? "loose" : "";
  if (node.type === "item") view.element.className = node.task;
  if (node.type === "code") view.element.firstChild.firstChild.data = node.language;
  for (let index = view.settled; index < node.children.length; index += 1) {
    const child = node.children[index];
    let shown = view.children[index];
    if (shown?.kind !== kindOf(child)) {
      const made = build(child, view);
      if (shown) shown.element.replaceWith(made.element);
      else view.box.append(made.element);
      view.children[index] = shown = made;
    }
    sync(shown, child);
    if (child.done && view.settled === index) view.settled += 1;
  }
  for (const { element } of view.children.splice(node.children.length)) element.remove();
}

/** What is as it was stays: a reader may have selected it. */
function syncText(view, text) {
  const nodes = view.isCode ? [text] : parseInline(text);
  const isSame = (node, index) => JSON.stringify(node) === JSON.stringify(nodes[index]);
  let same = view.shown.findIndex((node, index) => !isSame(node, index));
  if (same < 0) same = view.shown.length;
  const [before, now] = [view.shown[same], nodes[same]];
  if (typeof before === "string" && typeof now === "string" && now.startsWith(before)) {
    view.nodes[same].appendData(now.slice(before.length));
    same += 1;
  }
  for (const old of view.nodes.splice(same)) old.remove();
  const made = nodes.slice(same).map(toDom);
  view.box.append(...made);
  view.nodes.push(...made);
  view.shown = nodes;
}

const TAGS = { paragraph: "p", quote: "blockquote", item: "li", rule: "hr", row: "tr", part: "span" };

function build(node, parent) {
  switch (node.type) {
    case "code": {
      const button = make("button", { className: "copy", type: "button" }, words.copy);
      const bar = make("div", { className: "bar" }, "", button);
      const box = make("code");
      // Who has no mouse scrolls by keys.
      const scroller = make("pre", { tabIndex: 0, dir: "ltr" }, box);
      return { ...viewOf(node, make("div", { className: "code" }, bar, scroller), box), isCode: true };
    }
    case "table": {
      const box = make("table");
      return viewOf(node, make("div", { className: "table", tabIndex: 0, dir: "auto" }, box), box);
    }
    case "list": {
      const element = make(node.start ? "ol" : "ul", { dir: "auto" });
      if (node.start) element.start = Number(node.start);
      return viewOf(node, element);
    }
    case "cell":
      return viewOf(node, make(node.isHead ? "th" : "td", { dir: "auto", className: node.align }));
    case "part":
      return { ...viewOf(node, make("span")), isCode: parent.isCode };
    default: {
      const element = make(TAGS[node.type] ?? `h${node.level}`);
      if (!["rule", "row"].includes(node.type)) element.dir = "auto";
      return viewOf(node, element);
    }
  }
}

function toDom(node) {
  if (typeof node === "string") return document.createTextNode(node);
  const { href, tag } = node;
  const properties = href ? { href, target: "_blank", rel: "noopener noreferrer" } : {};
  return make(tag, properties, ...node.children.map(toDom));
}

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
