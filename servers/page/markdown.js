/*
 * Markdown, block by block, as its text arrives. It becomes a tree of plain objects:
 *
 *     - **one**     list > item > paragraph > part "**one**"
 *     - two              > item > paragraph > part "two"
 *
 * CommonMark 0.31 §4 and §5, with GitHub's tables and task lists. A line is read once, when its end
 * is there; the unfinished last one is read for a look, and then what it did is undone. How the text
 * was cut never matters, and cost is linear, also for one endless line: text is held in `part`s, cut
 * where the text alone decides, and only the last grows.
 *
 * What it does not do: HTML (it is text), references, footnotes; code by indentation and headings by
 * underlines, which in a model's answer are accidents.
 */

import { work } from "./inline.js";

const MAX_NESTING = 24;
const LONG_LINE = 2000; // its beginning says what it is, the rest follows it
const PART = 2000;
const MAX_PART = 3000; // where nothing to cut at comes

const HEADING = /^ {0,3}(#{1,6})(?: +|$)(.*)$/;
const RULE = /^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$/;
const FENCE = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-+*]|(\d{1,9})[.)])( +|$)(.*)$/;
const TASK = /^\[([ xX])\] +/;
const DELIMITERS = /^ {0,3}\|? *:?-+:? *(?:\| *:?-+:? *)*\|? *$/;
// An unfinished line of marks may become anything: it is not looked at yet.
const UNDECIDED = /^(?:[-=*_+#>|`~:. ]*|\d{1,9}[.)]) *$/;

const isContainer = ({ type }) => ["document", "quote", "list", "item"].includes(type);
const isBlank = (line) => !/[^ ]/.test(line);
const indentOf = (line) => line.search(/[^ ]|$/);

export function markdownParser() {
	const tree = block("document");
	let unfinished = ""; // a line without its end yet
	let isLong = false; // its beginning has been read
	let isLook = false;
	let afterBlank = false;

	/** @param {string} text cut anywhere */
	function append(text) {
		// Without CR every line ends in LF, however CR LF was cut.
		const rest = unfinished + text.replaceAll("\r", "");
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

	/** Calls `show` as if the unfinished line were a whole one, and returns what that does. */
	function look(show) {
		if (UNDECIDED.test(unfinished.trim())) return show();
		const saved = openPath().map((node) => [node, { ...node }, node.children.length]);
		const wasBlank = afterBlank;
		isLook = true;
		readLine(unfinished);
		const shown = show();
		isLook = false;
		afterBlank = wasBlank;
		for (const [node, copy, length] of saved) {
			Object.assign(node, copy);
			node.children.length = length;
		}
		return shown;
	}

	function end() {
		if (isLong) endLongLine();
		else if (unfinished) readLine(unfinished);
		unfinished = "";
		close(tree);
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

	/** Returns whether a leaf is open to which more of the same line can go. */
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
		// "laziness": a paragraph goes on without its containers' marks
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

	/** Begins a quotation or an item; returns what is left of the line, or null. */
	function startContainer(path, rest, leaf) {
		if (path.length > MAX_NESTING) return null;
		const quote = QUOTE.exec(rest);
		if (quote) {
			add(path, block("quote"));
			return expandTabs(rest.slice(quote[0].length));
		}
		const item = RULE.test(rest) ? null : ITEM.exec(rest);
		if (!item) return null;
		const [, indent, mark, number = "", space, content] = item;
		// "In order for a list item to interrupt a paragraph, it must not be empty", and begin at 1.
		if (leaf?.type === "paragraph" && (!content || (number && number !== "1"))) return null;
		const list = path.at(-1);
		if (list.kind === mark.at(-1)) list.isLoose ||= afterBlank;
		else add(path, block("list", { kind: mark.at(-1), start: number, isLoose: false }));
		const task = TASK.exec(content);
		const padding = content && space.length < 5 ? space.length : 1;
		add(path, block("item", {
			width: indent.length + mark.length + padding,
			task: task ? (task[1] === " " ? "todo" : "done") : "",
		}));
		afterBlank = false;
		return expandTabs(content.slice(task?.[0].length));
	}

	function readText(path, rest, leaf, lazy, lineEnd) {
		let match;
		if (leaf?.type === "paragraph" && DELIMITERS.test(rest) && startTable(path, leaf, rest)) {
			return false;
		}
		if ((match = HEADING.exec(rest))) {
			const heading = add(path, block("heading", { level: match[1].length }));
			// In steps: one pattern takes cubic time.
			const text = match[2].trimEnd().replace(/(?:^| )#*$/, "").trimEnd();
			write(heading, lineEnd ? text : match[2]);
			if (lineEnd) close(heading);
			return true;
		}
		if (RULE.test(rest)) return close(add(path, block("rule")));
		if ((match = FENCE.exec(rest))) {
			const [, indent, fence, info] = match;
			const language = info.trim().split(" ")[0];
			add(path, block("code", { language, fence, indent: indent.length }));
			return false;
		}
		if (leaf?.type === "table") return addRow(leaf, cellsOf(rest));
		const paragraph = leaf ?? lazy ?? add(path, block("paragraph"));
		write(paragraph, (paragraph.children.length ? "\n" : "") + rest.trimStart());
		return true;
	}

	function readCode(code, rest, lineEnd) {
		const mark = rest.trim();
		const isEnd = mark.startsWith(code.fence) && !mark.replaceAll(code.fence[0], "");
		if (isEnd && indentOf(rest) < 4) return close(code);
		write(code, rest.slice(Math.min(indentOf(rest), code.indent)) + lineEnd);
		return true;
	}

	/** The row of dashes is there: the line before it, a paragraph until now, is the head. */
	function startTable(path, paragraph, rest) {
		const part = paragraph.children.at(-1);
		const start = part.text.lastIndexOf("\n") + 1;
		const head = cellsOf(part.text.slice(start));
		const align = cellsOf(rest).map((cell) => (!cell.endsWith(":") ? "" : cell[0] === ":" ? "center" : "end"));
		if (head.length !== align.length || (head.length < 2 && !rest.includes("|"))) return false;
		part.text = part.text.slice(0, Math.max(0, start - 1));
		if (!part.text && paragraph.children.length === 1) path.at(-1).children.pop();
		addRow(add(path, block("table", { align })), head);
		return true;
	}

	function addRow(table, texts) {
		const isHead = table.children.length === 0;
		while (texts.length < table.align.length) texts.push("");
		const row = block("row");
		texts.forEach((text, index) => {
			const cell = block("cell", { isHead, align: table.align[index] ?? "" });
			write(cell, text);
			row.children.push(cell);
		});
		table.children.push(row);
		return close(row);
	}

	/** Adds a block to the deepest container of the path, and closes what is open there. */
	function add(path, added) {
		while (path.at(-1).type === "list" && added.type !== "item") path.pop();
		const parent = path.at(-1);
		const before = parent.children.at(-1);
		if (before?.isOpen) close(before);
		// "A list is loose if any [...] items are separated by blank lines", or two blocks of one.
		if (parent.type === "item" && before && afterBlank) path.at(-2).isLoose = true;
		parent.children.push(added);
		if (isContainer(added)) path.push(added);
		return added;
	}

	function close(node) {
		const last = node.children.at(-1);
		if (last?.isOpen) close(last);
		node.isOpen = false;
		node.done = !isLook; // what a look closes is open again after it
		return false;
	}

	/** Adds to a leaf's text. A part ends behind the first space, or line of code, after `PART`. */
	function write(leaf, text) {
		for (let rest = text, part; rest || !part; ) {
			part = leaf.children.at(-1);
			if (!part?.isOpen) leaf.children.push((part = block("part", { text: "" })));
			const whole = part.text + rest;
			const from = Math.max(PART, part.text.length);
			const place = whole.slice(from, MAX_PART).search(leaf.type === "code" ? /\n/ : /\s/) + 1;
			const end = place ? from + place : MAX_PART;
			part.text = whole.slice(0, end);
			rest = whole.slice(end);
			if (place || rest) close(part);
		}
	}

	function endLongLine() {
		isLong = false;
		const leaf = openLeaf();
		if (leaf.type === "code") write(leaf, "\n");
		if (leaf.type === "heading") close(leaf);
	}

	return { tree, append, look, end };
}

function block(type, more) {
	return { type, children: [], isOpen: true, done: false, ...more };
}

/** What is left of a line behind a container's mark; null without it. */
function continueContainer(node, line) {
	if (node.type === "list") return line;
	if (node.type === "quote") return QUOTE.test(line) ? line.replace(QUOTE, "") : null;
	if (isBlank(line)) return node.children.length ? "" : null;
	return indentOf(line) < node.width ? null : line.slice(node.width);
}

function cellsOf(row) {
	const cells = row.trim().replace(/^\|/, "").match(/(?:\\.|[^\\|])+(?=\||$)|(?<=^|\|)(?=\|)/g) ?? [];
	return cells.map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** Tabs in front: "a tab stop of 4 characters". */
function expandTabs(line) {
	return line.replace(/^ *\t[ \t]*/, (space) => {
		let width = 0;
		for (const char of space) width += char === "\t" ? 4 - (width % 4) : 1;
		return " ".repeat(width);
	});
}
