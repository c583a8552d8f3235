/*
 * Markdown, block by block, as its text arrives. It becomes a tree of plain objects:
 *
 *     - **one**     list > item > paragraph > part "**one**"
 *     - two              > item > paragraph > part "two"
 *
 * This is CommonMark's own algorithm (0.31.2, appendix "A parsing strategy"): a line first continues
 * the open containers, then it begins new ones, and the rest of it is text of the open leaf, or lazily
 * of an open paragraph. Its second phase, the text inside a leaf, does not wait for the end: inline.js
 * reads it at once.
 *
 * A line is read once, when its end has come. The unfinished last line is read as a preview, which is
 * then undone. It does not matter how the text was split. The cost is linear, even for one endless
 * line, because text is held in parts (parts.js). Only the last part grows; the others change when
 * emphasis that began in them ends. Two things are known late. A line under a paragraph makes it a
 * heading. A reference may be defined after its use: when the answer ends, such texts are read again.
 *
 * What it does not do: HTML (it stays text) and footnotes.
 */

import {
	block,
	continueContainer,
	FENCE,
	FORMULA,
	HEADING,
	isContainer,
	isVerbatim,
	readItem,
	readQuote,
	readVerbatim,
	RULE,
	UNDERLINE,
} from "./blocks.js";
import { addRun } from "./emphasis.js";
import { unescaped } from "./entities.js";
import { copyOf, newText, read, work } from "./inline.js";
import { Line, trimmed } from "./line.js";
import { addLine, newParagraph, takeDefinitions, takeLine } from "./paragraphs.js";
import { fillPart, newPart } from "./parts.js";
import { alignmentOf, newRow, rowWriter } from "./tables.js";

const MAX_NESTING = 24;
const LONG_LINE = 2000; // the beginning decides the type of a longer line; it is not a table head

// An unfinished line of marks may become anything, so it gets no preview yet.
const UNDECIDED = /^(?:[-=*_+#>|`~:. \t]*|\d{1,9}[.)]) *$/;

export function markdownParser() {
	const tree = block("document");
	const references = new Map();
	const { writeRow, finishRow } = rowWriter(textOf, write, close);
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
		const saved = openPath().map((node) => [node, { ...node }, node.children.length, node.children.at(-1)]);
		for (const [node] of saved) if (node.text) node.text = copyOf(node.text);
		const wasBlank = afterBlank;
		isLook = true;
		if (!UNDECIDED.test(unfinished.trim())) readLine(unfinished);
		close(tree);
		const shown = show();
		isLook = false;
		afterBlank = wasBlank;
		for (const [node, copy, length, last] of saved) {
			Object.assign(node, copy, { changed: undefined });
			node.children.length = length;
			if (last) node.children[length - 1] = last;
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
		if (references.size) resolve(tree);
	}

	/** Reads the texts again that have a reference to a later definition; returns whether any did. */
	function resolve(node) {
		let isChanged = [...(node.text?.missed ?? [])].some((label) => references.has(label));
		if (isChanged) {
			node.children = [];
			node.text = textOf();
			put(node, read(node.text, node.source, true));
			close(node);
			noteChange(node, 0);
		} else if (!node.text && node.type !== "part") {
			node.children.forEach((child, index) => {
				if (!resolve(child)) return;
				noteChange(node, index);
				isChanged = true;
			});
		}
		return isChanged;
	}

	/** The node must be shown again from this child on. */
	function noteChange(node, index) {
		node.changed = Math.min(node.changed ?? index, index);
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
	function readLine(source, lineEnd = "\n") {
		work.characters += source.length;
		const line = new Line(source);
		const open = openPath();
		const path = [tree];
		for (let node; (node = open[path.length]) && isContainer(node); path.push(node)) {
			if (!continueContainer(node, line)) break;
		}
		const next = open[path.length];
		let leaf = next && !isContainer(next) ? next : null;
		if (leaf && isVerbatim(leaf)) {
			const more = readVerbatim(leaf, line, lineEnd);
			if (more) return writeVerbatim(leaf, more);
			leaf = null;
		}
		if (line.isBlank) {
			// Such a line inside a quotation does not separate the items around it.
			afterBlank = path.at(-1).type !== "quote";
			if (next) closeLast(path.at(-1));
			return false;
		}
		// "laziness": a paragraph continues without its containers' marks
		let lazy = leaf ? null : open.find(({ type }) => type === "paragraph");
		while (startContainer(path, line, leaf, lazy)) {
			leaf = lazy = null;
			if (line.isBlank) return false;
		}
		const isOpen = readText(path, line, leaf, lazy, lineEnd);
		afterBlank = false;
		return isOpen;
	}

	/** Begins a quotation or an item, if the line does. */
	function startContainer(path, line, leaf) {
		if (path.length > MAX_NESTING) return false;
		if (readQuote(line)) {
			add(path, block("quote"));
			return true;
		}
		const item = readItem(line, leaf?.type === "paragraph");
		if (!item) return false;
		const list = path.at(-1);
		if (list.kind === item.kind) list.isLoose ||= afterBlank;
		else add(path, block("list", { kind: item.kind, start: item.start, isLoose: false }));
		add(path, block("item", { width: item.width, task: item.task }));
		afterBlank = false;
		return true;
	}

	function readText(path, line, leaf, lazy, lineEnd) {
		const { text, indent } = line;
		const isText = leaf?.type === "paragraph" || lazy;
		if (indent > 3 && !isText) {
			const code = add(path, block("code", { language: "", fence: "", blank: "" }));
			return writeVerbatim(code, readVerbatim(code, line, lineEnd));
		}
		let match;
		if (indent < 4) {
			if (leaf?.type === "paragraph" && startTable(path, leaf, text)) return false;
			if ((match = HEADING.exec(text))) return startHeading(path, match, lineEnd);
			if ((match = FENCE.exec(text))) {
				const language = unescaped(trimmed(match[2]).split(/[ \t]/)[0]);
				add(path, block("code", { language, fence: match[1], indent }));
				return false;
			}
			if (leaf?.type === "paragraph" && UNDERLINE.test(text) && takeDefinitions(leaf, define)) {
				leaf.type = "heading";
				leaf.level = text[0] === "=" ? 1 : 2;
				return close(leaf);
			}
			if (RULE.test(text)) return close(add(path, block("rule")));
			if (!isText && (match = FORMULA.exec(text))) return startFormula(path, text, match);
		}
		if (leaf?.type === "table") {
			const row = newRow(leaf.align);
			leaf.children.push(row);
			writeRow(row, line.rest);
			return lineEnd ? close(row) : true;
		}
		const paragraph = leaf ?? lazy ?? add(path, newParagraph(textOf()));
		line.dedent(Infinity);
		write(paragraph, addLine(paragraph, line.rest, lineEnd, define));
		return true;
	}

	function startHeading(path, [, marks, content], lineEnd) {
		const heading = add(path, block("heading", { level: marks.length, text: textOf(), source: "" }));
		// "The closing sequence of #s"; in steps, because one pattern would take cubic time.
		write(heading, lineEnd ? trimmed(content.replace(/(?:^|[ \t])#*$/, "")) : content);
		if (lineEnd) close(heading);
		return true;
	}

	/** The row of dashes has come: the line before it, until now a paragraph, is the head. */
	function startTable(path, paragraph, text) {
		const align = paragraph.held && alignmentOf(text);
		if (!align) return false;
		const head = newRow(align, Infinity);
		writeRow(head, paragraph.held.slice(paragraph.held.lastIndexOf("\n") + 1));
		close(head);
		const { length } = head.children;
		if (length !== align.length || (length < 2 && !text.includes("|"))) return false;
		takeLine(paragraph);
		add(path, block("table", { align })).children.push(head);
		return true;
	}

	function startFormula(path, text, [all, dollars, bracket]) {
		const formula = add(path, block("math", { fence: dollars ?? "\\]" }));
		const isWhole = all !== dollars && all !== bracket;
		return writeVerbatim(formula, { text: isWhole ? text : text + "\n", isEnd: isWhole });
	}

	function writeVerbatim(leaf, { text, isEnd }) {
		write(leaf, text);
		afterBlank = text === "" && !isEnd; // in code by indentation
		return isEnd ? close(leaf) : true;
	}

	function define(label, target) {
		// "If there are several matching definitions, the first one takes precedence."
		if (!isLook && !references.has(label)) references.set(label, target);
	}

	// ---- The tree

	/** Adds a block to the deepest container of the path, and closes the open block there. */
	function add(path, added) {
		while (path.at(-1).type === "list" && added.type !== "item") path.pop();
		const parent = path.at(-1);
		// "A list is loose if any [...] items are separated by blank lines", or two blocks of one item.
		if (parent.type === "item" && parent.children.length && afterBlank) path.at(-2).isLoose = true;
		closeLast(parent);
		parent.children.push(added);
		if (isContainer(added)) path.push(added);
		return added;
	}

	function closeLast(parent) {
		const last = parent.children.at(-1);
		if (!last?.isOpen) return;
		close(last);
		// A paragraph of definitions is not shown.
		if (last.type === "paragraph" && !last.source) parent.children.pop();
	}

	function close(node) {
		if (node.held) takeDefinitions(node, define);
		if (node.held) write(node, node.held);
		node.held = null;
		if (node.text) put(node, read(node.text, "", true, isLook));
		if (node.type === "row") finishRow(node);
		else closeLast(node);
		node.isOpen = false;
		node.done = !isLook; // after a preview, its closed blocks are open again
		return false;
	}

	function textOf() {
		return newText(references);
	}

	function write(leaf, text) {
		if (leaf.type === "table") return writeRow(leaf.children.at(-1), text);
		if (!leaf.text) return put(leaf, [{ at: 0, text }]);
		leaf.source += text;
		return put(leaf, read(leaf.text, text));
	}

	function put(leaf, tokens) {
		const space = leaf.text ? /\s/ : /\n/;
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
		if (isVerbatim(leaf)) write(leaf, "\n");
		if (leaf.type === "heading") close(leaf);
		if (leaf.type === "table") close(leaf.children.at(-1));
	}

	return { tree, append, look, end };
}
