/*
 * Shows Markdown while it arrives: the tree of parser.js becomes elements, once a frame.
 *
 * A finished block is never changed again. The model's text becomes text nodes, and links to
 * addresses that inline.js allows.
 */

import { colored } from "./colors.js";
import { make } from "../dom.js";
import { work } from "./inline.js";
import { markdownParser } from "./parser.js";
import { nodesOf } from "./parts.js";
import { words } from "../words/words.js";

// Layout visits every sibling of an element that grew, so many blocks share one box.
const GROUP = 50;

/** `show` returns the element that the last letter is in. */
export function markdownView(element) {
	const { tree, append, look, end } = markdownParser();
	const root = viewOf(tree, element);
	const show = () => {
		sync(root, tree);
		let last = root;
		while (last.children.length) last = last.children.at(-1);
		return last.box;
	};
	const finish = () => {
		end();
		show();
	};
	return { append, show: () => look(show), end: finish };
}

/** `settled`: number of children that are finished and shown. */
function viewOf(node, element, box = element) {
	return { kind: kindOf(node), element, box, children: [], settled: 0, nodes: [], shown: [], open: "" };
}

/** If this key changes, a node needs a new element. */
function kindOf({ type, level, start, kind, isHead, align }) {
	return [type, level, start, kind, isHead, align].join();
}

function sync(view, node) {
	if (node.type === "list") view.element.className = node.isLoose ? "loose" : "";
	if (node.type === "item") view.element.className = node.task;
	if (node.type === "code") view.element.firstChild.firstChild.data = node.language;
	const first = Math.min(view.settled, node.changed ?? Infinity);
	node.changed = undefined;
	for (let index = first; index < node.children.length; index += 1) {
		const child = node.children[index];
		let shown = view.children[index];
		if (shown?.kind !== kindOf(child)) {
			const made = build(child);
			if (shown) shown.element.replaceWith(made.element);
			else (node.type === "document" ? groupOf(view.box, index) : view.box).append(made.element);
			view.children[index] = shown = made;
		}
		if (child.type === "part") syncText(shown, child, node, view.children[index - 1]);
		else sync(shown, child);
		if (child.done && view.settled === index) view.settled += 1;
	}
	const { length } = node.children;
	for (const { element } of view.children.splice(length)) element.remove();
	if (node.type === "document") view.box.childNodes[Math.ceil(length / GROUP)]?.remove();
}

function groupOf(box, index) {
	const group = Math.floor(index / GROUP);
	if (!box.childNodes[group]) box.append(make("div"));
	return box.childNodes[group];
}

/** Unchanged nodes stay, because the reader may have selected them. */
function syncText(view, part, leaf, previous) {
	work.characters += part.size;
	let nodes = nodesOf(part);
	if (leaf.type === "code") [nodes, view.open] = colored(nodes.join(""), leaf.language, previous?.open);
	let same = view.shown.findIndex((node, index) => !isSame(node, nodes[index]));
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

function isSame(one, other) {
	if (typeof one === "string" || typeof other !== "object") return one === other;
	return (
		one.tag === other.tag &&
		one.href === other.href &&
		one.children.length === other.children.length &&
		one.children.every((child, index) => isSame(child, other.children[index]))
	);
}

const TAGS = { paragraph: "p", quote: "blockquote", item: "li", rule: "hr", row: "tr", part: "span" };

function build(node) {
	const [element, box = element] = elementsOf(node);
	return viewOf(node, element, box);
}

/**
 * A block's element, and the one inside it that has its text.
 *
 * Only elements with their own text get a direction. `dir="auto"` skips descendants that have a
 * `dir` (HTML §3.2.6.4): on a list it would find nothing, and search all items for each new one.
 */
function elementsOf({ type, start, isHead, align, level }) {
	const dir = "auto";
	switch (type) {
		case "code": {
			const bar = make("div", "bar", "", make("button", "copy", words.copy));
			const box = make("code");
			// It can have the focus, so that readers without a mouse can scroll it with the keyboard.
			return [make("div", "code", bar, make("pre", { tabIndex: 0, dir: "ltr" }, box)), box];
		}
		case "math": {
			const box = make("code");
			return [make("pre", { className: "math", tabIndex: 0, dir: "ltr" }, box), box];
		}
		case "table": {
			const box = make("table");
			return [make("div", { className: "table", tabIndex: 0 }, box), box];
		}
		case "list":
			return [start ? make("ol", { start: Number(start) }) : make("ul")];
		case "cell":
			return [make(isHead ? "th" : "td", { dir, className: align })];
		case "quote":
		case "item":
		case "rule":
		case "row":
		case "part":
			return [make(TAGS[type])];
		default:
			return [make(TAGS[type] ?? `h${level}`, { dir })];
	}
}

function toDom(node) {
	if (typeof node === "string") return document.createTextNode(node);
	const { tag, href, title, className } = node;
	const children = node.children.map(toDom);
	if (tag === "a") return make(tag, { href, target: "_blank", ...(title && { title }) }, ...children);
	// Code is never mirrored by the Arabic or Hebrew text around it.
	if (tag === "code") return make(tag, { dir: "ltr", ...(className && { className }) }, ...children);
	return make(tag, {}, ...children);
}
