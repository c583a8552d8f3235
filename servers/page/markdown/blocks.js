/*
 * The kinds of blocks, and how a line continues or begins one.
 *
 *     > - a    quote > list > item > paragraph
 *
 * CommonMark 0.31.2 §4 and §5, with GitHub's task lists. line.js measures and removes the
 * indentation of a line before its text is looked at here. A line that is indented by four columns
 * is code.
 */

export function block(type, more) {
	return { type, children: [], isOpen: true, done: false, ...more };
}

export const isContainer = ({ type }) => ["document", "quote", "list", "item"].includes(type);
export const isVerbatim = ({ type }) => type === "code" || type === "math";

// "A line is a sequence of zero or more characters other than line feed or carriage return". A dot
// would be wrong here, because it does not match U+2028.
export const HEADING = /^(#{1,6})(?:[ \t]+|$)([^]*)$/;
export const UNDERLINE = /^(?:=+|-+)$/;
export const RULE = /^(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
export const FENCE = /^(`{3,}(?=[^`]*$)|~{3,})([^]*)$/;
/** `$$` or `\[` alone, or a whole formula. In the middle of a text, inline.js finds it. */
export const FORMULA = /^(?:(\$\$)(?:[^$]+\$\$)?|(\\\[)(?:(?:(?!\\\])[^])+\\\])?)$/;
const ITEM = /^([-+*]|(\d{1,9})[.)])(?=[ \t]|$)/;
const TASK = /^\[([ xX])\][ \t]+(?=[^ \t])/;

/** Reads the mark with which a container goes on in this line; false if it does not. */
export function continueContainer(node, line) {
	if (node.type === "list") return true;
	if (node.type === "quote") return readQuote(line);
	if (line.isBlank) {
		line.dedent(Infinity);
		return node.children.length > 0;
	}
	if (line.indent < node.width) return false;
	line.dedent(node.width);
	return true;
}

/** ">" and one space. */
export function readQuote(line) {
	if (line.indent > 3 || line.text[0] !== ">") return false;
	line.dedent(3);
	line.skip(1);
	line.dedent(1);
	return true;
}

/** Reads the mark of an item; null if there is none. `isInText`: it would end a paragraph. */
export function readItem(line, isInText) {
	const { text, indent } = line;
	const mark = indent < 4 && !RULE.test(text) && ITEM.exec(text);
	if (!mark) return null;
	const [, { length }, number = ""] = mark;
	const isEmpty = text.length === length;
	// "In order for a list item to interrupt a paragraph, it must not be empty", and begin at 1.
	if (isInText && (isEmpty || (number && Number(number) !== 1))) return null;
	line.dedent(indent);
	line.skip(length);
	// "If more than four spaces follow, the item's content begins after one": the rest is code.
	const space = isEmpty || line.indent > 4 ? 1 : line.indent;
	line.dedent(space);
	const task = TASK.exec(line.rest);
	if (task) line.skip(task[0].length);
	return {
		kind: text[length - 1],
		start: number,
		width: indent + length + space,
		task: task ? (task[1] === " " ? "todo" : "done") : "",
	};
}

/** What a line adds to code or a formula, and whether it ends there; null if it is not part of it. */
export function readVerbatim(leaf, line, lineEnd) {
	const { fence, indent } = leaf;
	const { text } = line;
	if (leaf.type === "math") {
		return line.isBlank ? null : { text: line.rest + lineEnd, isEnd: text.endsWith(fence) };
	}
	if (fence) {
		const isEnd = line.indent < 4 && text.startsWith(fence) && !text.replaceAll(fence[0], "");
		line.dedent(indent);
		return { text: isEnd ? "" : line.rest + lineEnd, isEnd };
	}
	if (line.indent < 4 && !line.isBlank) return null;
	line.dedent(4);
	// Blank lines after the last line of the code are not part of it.
	const before = leaf.blank;
	leaf.blank = line.isBlank ? before + line.rest + "\n" : "";
	return { text: line.isBlank ? "" : before + line.rest + lineEnd, isEnd: false };
}
