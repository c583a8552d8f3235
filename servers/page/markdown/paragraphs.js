/*
 * The lines of a paragraph, until it is certain what they are:
 *
 *     [a]: https://b.org/    may be a definition, until the paragraph ends
 *     | a | b |              may be the head of a table, until the next line has come
 *
 * `held` has such lines; `source` has those that are text.
 */

import { block } from "./blocks.js";
import { mayDefine, readDefinitions } from "./references.js";

const MAX_DEFINITIONS = 2000; // characters that may wait

export function newParagraph(text) {
	return block("paragraph", { level: undefined, text, source: "", held: null });
}

/** Returns what is now certain to be text. */
export function addLine(paragraph, line, lineEnd, define) {
	if (paragraph.held === null) paragraph.held = line;
	else paragraph.held += "\n" + line;
	if (!paragraph.source && mayDefine(paragraph.held)) {
		if (lineEnd && paragraph.held.length < MAX_DEFINITIONS) return "";
		takeDefinitions(paragraph, define);
	}
	const held = paragraph.held ?? "";
	const end = lineEnd ? Math.max(0, held.lastIndexOf("\n")) : held.length;
	if (held) paragraph.held = held.slice(end);
	return held.slice(0, end);
}

/** Reads the definitions at its beginning; returns whether it has any text besides. */
export function takeDefinitions(paragraph, define) {
	if (!paragraph.source && paragraph.held) {
		paragraph.held = readDefinitions(paragraph.held, define) || null;
	}
	return Boolean(paragraph.source || paragraph.held);
}

/** Removes its last line and returns it. */
export function takeLine(paragraph) {
	const { held } = paragraph;
	const start = held.lastIndexOf("\n");
	paragraph.held = held.slice(0, Math.max(0, start)) || null;
	return held.slice(start + 1);
}
