/*
 * Markdown, block by block, as its text arrives. It becomes a tree of plain objects:
 *
 *     - **one**     list > item > paragraph > part "**one**"
 *     - two              > item > paragraph > part "two"
 *
 * CommonMark 0.31.2 §4 and §5, with GitHub's tables and task lists. A line is read once, when its end
 * has come. The unfinished last line is read as a preview, which is then undone. It does not matter
 * how the text was split. The cost is linear, even for one endless line, because text is held in
 * parts (parts.js). Only the last part grows; the others change when emphasis that began in them ends.
 *
 * What it does not do: HTML (it stays text), references, footnotes; nor code by indentation and
 * headings by underlines, which are accidents in a model's answer.
 */

import { addRun } from "./emphasis.js";
import { copyOf, newText, read, unescaped, work } from "./inline.js";
import { fillPart, newPart } from "./parts.js";

const MAX_NESTING = 24;
const LONG_LINE = 2000; // the beginning decides the type of a longer line; it is not a table head

// "A line is a sequence of zero or more characters other than line feed or carriage return". A dot
// would be wrong here, because it does not match U+2028.
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+|$)([^]*)$/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const FENCE = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})([^]*)$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-+*]|(\d{1,9})[.)])([ \t]+|$)([^]*)$/;
const TASK = /^\[([ xX])\][ \t]+/;
const DELIMITERS = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?$/;
// An unfinished line of marks may become anything, so it gets no preview yet.
const UNDECIDED = /^(?:[-=*_+#>|`~:. \t]*|\d{1,9}[.)]) *$/;

const isContainer = ({ type }) => ["document", "quote", "list", "item"].includes(type);
const isBlank = (line) => !/[^ \t]/.test(line);
const indentOf = (line) => line.search(/[^ ]|$/);
// "Spaces or tabs" are ignored there; other white space, such as U+3000, is text.
const trimStart = (text) => text.slice(text.search(/[^ \t]|$/));

export function markdownParser() {
	const tree = block("document");
	let unfinished = ""; // a line without its end yet
	let isLong = false; // its beginning has been read
	let isLook = false;
	let afterBlank = false;
	let isAfterCR = false;
	let shownMarks = []; // in a preview: each list that got a mark, its leaf, and its first part there

	/** @param {string} text may be split anywhere */
	function append(text) {
		// "A line ending is a line feed, a carriage return not followed by a line feed, or [both]".
		const lines = isAfterCR && text[0] === "\n" ? text.slice(1) : text;
		if (text) isAfterCR = text.endsWith("\r");
		// "For security reasons, the Unicode character U+0000 must be replaced".
		const rest = unfinished + lines.replace(/\r\n?/g, "\n").replaceAll("\0", "\ufffd");
		let at = 0;
		for (;;) {
			const end = rest.indexOf("\n", at);
			const stop = end < 0 ? rest.length : end;
			if (isLong) {
				write(openLeaf(), rest.slice(at, stop));
				at = stop;
				if (end < 0) break;
				endLongLine();
			} else if (stop - at > LONG_LINE) {
				isLong = readLine(rest.slice(at, (at += LONG_LINE)), "");
				continue;
			} else if (end < 0) break;
			else readLine(rest.slice(at, end));
			at = end + 1;
		}
		unfinished = rest.slice(at);
	}

	/** Calls `show` as if the text ended here, and returns its result. */
	function look(show) {
		const saved = openPath().map((node) => [node, { ...node }, node.children.length]);
		for (const [node] of saved) if (node.text) node.text = copyOf(node.text);
		const wasBlank = afterBlank;
		isLook = true;
		if (!UNDECIDED.test(unfinished.trim())) readLine(unfinished);
		close(tree);
		const shown = show();
		isLook = false;
		afterBlank = wasBlank;
		for (const [node, copy, length] of saved) {
			Object.assign(node, copy, { changed: undefined });
			node.children.length = length;
		}
		for (const [marks, leaf, index] of shownMarks.reverse()) {
			marks.pop();
			noteChange(leaf, index);
		}
		shownMarks = [];
		return shown;
	}

	function end() {
		if (isLong) endLongLine();
		else if (unfinished) readLine(unfinished);
		unfinished = "";
		close(tree);
	}

	/** The leaf must be shown again from this child on. */
	function noteChange(leaf, index) {
		leaf.changed = Math.min(leaf.changed ?? index, index);
	}

	/** The document, its last child if that is open, that one's last child, … */
	function openPath() {
		const path = [tree];
		for (let node; (node = path.at(-1).children.at(-1))?.isOpen; ) path.push(node);
		return path;
	}

	function openLeaf() {
		return openPath().find((node) => !isContainer(node));
	}

	/** Returns whether an open leaf can take more of the same line. */
	function readLine(line, lineEnd = "\n") {
		work.characters += line.length;
		const open = openPath();
		const path = [tree];
		let rest = expandTabs(line);
		for (let node; (node = open[path.length]) && isContainer(node); path.push(node)) {
			const continued = continueContainer(node, rest);
			if (continued === null) break;
			rest = expandTabs(continued);
		}
		const next = open[path.length];
		let leaf = next && !isContainer(next) ? next : null;
		if (leaf?.type === "code") return readCode(leaf, rest, lineEnd);
		if (isBlank(rest)) {
			afterBlank = true;
			if (next) close(next);
			return false;
		}
		// "laziness": a paragraph continues without its containers' marks
		let lazy = leaf ? null : open.find(({ type }) => type === "paragraph");
		for (let inside; (inside = startContainer(path, rest, leaf)) !== null; ) {
			rest = inside;
			leaf = lazy = null;
			if (isBlank(rest)) return false;
		}
		const isOpen = readText(path, rest, leaf, lazy, lineEnd);
		afterBlank = false;
		return isOpen;
	}

	/** Begins a quotation or an item; returns the rest of the line, or null. */
	function startContainer(path, rest, leaf) {
		if (path.length > MAX_NESTING) return null;
		const quote = QUOTE.exec(rest);
		if (quote) {
			add(path, block("quote"));
			return expandTabs(rest.slice(quote[0].length));
		}
		const item = RULE.test(rest) ? null : ITEM.exec(rest);
		if (!item) return null;
		const [, indent, mark, number = "", tabs, content] = item;
		const before = " ".repeat(indent.length + mark.length);
		const space = expandTabs(before + tabs).slice(before.length);
		// "In order for a list item to interrupt a paragraph, it must not be empty", and begin at 1.
		if (leaf?.type === "paragraph" && (!content || (number && number !== "1"))) return null;
		const list = path.at(-1);
		if (list.kind === mark.at(-1)) list.isLoose ||= afterBlank;
		else add(path, block("list", { kind: mark.at(-1), start: number, isLoose: false }));
		const task = TASK.exec(content);
		const padding = content && space.length < 5 ? space.length : 1;
		add(path, block("item", {
			width: before.length + padding,
			task: task ? (task[1] === " " ? "todo" : "done") : "",
		}));
		afterBlank = false;
		return expandTabs(content.slice(task?.[0].length));
	}

	function readText(path, rest, leaf, lazy, lineEnd) {
		let match;
		if (leaf?.type === "paragraph" && startTable(path, leaf, trimEnd(rest))) return false;
		if ((match = HEADING.exec(rest))) {
			const heading = add(path, block("heading", { level: match[1].length, text: newText() }));
			// This is done in steps, because one pattern would take cubic time.
			const text = trimEnd(match[2]).replace(/(?:^|[ \t])#*$/, "");
			write(heading, lineEnd ? text : match[2]);
			if (lineEnd) close(heading);
			return true;
		}
		if (RULE.test(rest)) return close(add(path, block("rule")));
		if ((match = FENCE.exec(rest))) {
			const [, indent, fence, info] = match;
			const language = unescaped(trimStart(info).split(/[ \t]/)[0]);
			add(path, block("code", { language, fence, indent: indent.length }));
			return false;
		}
		if (leaf?.type === "table") {
			const row = block("row", newRow(leaf.align));
			leaf.children.push(row);
			writeRow(row, rest);
			return lineEnd ? close(row) : true;
		}
		const paragraph = leaf ?? lazy ?? add(path, block("paragraph", { text: newText(), line: null }));
		const line = (paragraph.line === null ? "" : "\n") + trimStart(rest);
		write(paragraph, paragraph.line ?? "");
		paragraph.line = lineEnd ? line : "";
		if (!lineEnd) write(paragraph, line);
		return true;
	}

	function readCode(code, rest, lineEnd) {
		const mark = trimEnd(trimStart(rest));
		const isEnd = mark.startsWith(code.fence) && !mark.replaceAll(code.fence[0], "");
		if (isEnd && indentOf(rest) < 4) return close(code);
		write(code, rest.slice(Math.min(indentOf(rest), code.indent)) + lineEnd);
		return true;
	}

	/** The row of dashes has come: the line before it, until now a paragraph, is the head. */
	function startTable(path, paragraph, rest) {
		if (!DELIMITERS.test(rest) || !paragraph.line) return false;
		const dashes = rest.match(/:?-+:?/g);
		const align = dashes.map((cell) => (!cell.endsWith(":") ? "" : cell[0] === ":" ? "center" : "end"));
		const head = block("row", newRow(align, Infinity));
		const isAlone = paragraph.line[0] !== "\n";
		writeRow(head, isAlone ? paragraph.line : paragraph.line.slice(1));
		close(head);
		const { length } = head.children;
		if (length !== align.length || (length < 2 && !rest.includes("|"))) return false;
		paragraph.line = "";
		if (isAlone) path.at(-1).children.pop();
		add(path, block("table", { align })).children.push(head);
		return true;
	}

	/** Adds text of the same line, split anywhere. */
	function writeRow(row, text) {
		const source = row.rest + text;
		const tokens = source.match(/\\[^]|\||[^\\|]+/g) ?? [];
		for (const token of tokens) writeCell(row, token);
		row.rest = source.slice(tokens.join("").length); // half an escape
	}

	function writeCell(row, token) {
		let cell = row.children.at(-1);
		if (isBlank(token) && !cell?.isOpen) return;
		const isOuter = !row.isStarted && token === "|";
		row.isStarted = true;
		if (isOuter) return;
		const text = token === "|" ? "" : token.replace("\\|", "|");
		if (cell?.isOpen) write(cell, text);
		else {
			// GFM §4.10: "If there are greater, the excess is ignored."
			if (row.children.length === row.columns) return;
			cell = addCell(row);
			write(cell, trimStart(text));
		}
		if (token === "|") close(cell);
	}

	function addCell(row) {
		const align = row.align[row.children.length] ?? "";
		const cell = block("cell", { isHead: row.isHead, align, text: newText() });
		row.children.push(cell);
		return cell;
	}

	/** Adds a block to the deepest container of the path, and closes the open block there. */
	function add(path, added) {
		while (path.at(-1).type === "list" && added.type !== "item") path.pop();
		const parent = path.at(-1);
		const before = parent.children.at(-1);
		if (before?.isOpen) close(before);
		// "A list is loose if any [...] items are separated by blank lines", or two blocks of one item.
		if (parent.type === "item" && before && afterBlank) path.at(-2).isLoose = true;
		parent.children.push(added);
		if (isContainer(added)) path.push(added);
		return added;
	}

	function close(node) {
		if (node.text) put(node, read(node.text, node.line ?? "", true, isLook));
		if (node.rest) writeCell(node, node.rest);
		const last = node.children.at(-1);
		if (last?.isOpen) close(last);
		// "If there are a number of cells fewer […], empty cells are inserted."
		while (node.columns < Infinity && node.children.length < node.columns) close(addCell(node));
		node.isOpen = false;
		node.done = !isLook; // after a preview, its closed blocks are open again
		return false;
	}

	function write(leaf, text) {
		if (leaf.type === "table") writeRow(leaf.children.at(-1), text);
		else put(leaf, leaf.text ? read(leaf.text, text) : [{ at: 0, text }]);
	}

	function put(leaf, tokens) {
		const space = leaf.type === "code" ? /\n/ : /\s/;
		for (let token of tokens) {
			while (token) {
				const part = openPart(leaf);
				const { added, later, isFull } = fillPart(part, token, space);
				if (added?.run) addMarks(leaf, added);
				if (isFull) close(part);
				token = later;
			}
		}
	}

	function openPart(leaf) {
		const last = leaf.children.at(-1);
		if (last?.isOpen) return last;
		leaf.children.push(block("part", newPart()));
		return leaf.children.at(-1);
	}

	/** This run may end emphasis that began in an earlier part. */
	function addMarks(leaf, { at, run }) {
		const part = leaf.children.length - 1;
		addRun(leaf.text.runs, { ...run, at, part }, (mark, first) => {
			// A preview would show a long text again each time, so the mark waits until its end is certain.
			if (isLook && first < part - 1) return;
			for (const { marks } of leaf.children.slice(first)) {
				marks.push(mark);
				if (isLook) shownMarks.push([marks, leaf, first]);
			}
			noteChange(leaf, first);
		});
	}

	function endLongLine() {
		isLong = false;
		const leaf = openLeaf();
		if (leaf.type === "code") write(leaf, "\n");
		if (leaf.type === "heading") close(leaf);
		if (leaf.type === "table") close(leaf.children.at(-1));
	}

	return { tree, append, look, end };
}

function block(type, more) {
	return { type, children: [], isOpen: true, done: false, ...more };
}

/** The rest of a line after a container's mark; null without the mark. */
function continueContainer(node, line) {
	if (node.type === "list") return line;
	if (node.type === "quote") return QUOTE.test(line) ? line.replace(QUOTE, "") : null;
	if (isBlank(line)) return node.children.length ? "" : null;
	return indentOf(line) < node.width ? null : line.slice(node.width);
}

/** Its cells are filled when their text comes. */
function newRow(align, columns = align.length) {
	return { align, columns, isHead: columns === Infinity, isStarted: false, rest: "" };
}

function trimEnd(text) {
	let end = text.length;
	while (" \t".includes(text[end - 1] ?? "x")) end -= 1;
	return text.slice(0, end);
}

/** Leading tabs: "a tab stop of 4 characters". */
function expandTabs(line) {
	return line.replace(/^ *\t[ \t]*/, (space) => {
		let width = 0;
		for (const char of space) width += char === "\t" ? 4 - (width % 4) : 1;
		return " ".repeat(width);
	});
}
