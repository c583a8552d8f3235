/*
 * The parts of a link: destination, title, label. And the definitions of references:
 *
 *     [there]: https://example.org/ "a title"    ->    THERE: {href: "https://…", title: "a title"}
 *
 * CommonMark 0.31.2 §4.7 and §6.3. A definition begins a paragraph, and it is known when the
 * paragraph ends. "The first one takes precedence".
 */

import { hrefOf } from "./addresses.js";
import { unescaped } from "./entities.js";

const MAX_PARENTHESES = 32; // nested in a destination
const LABEL = /\[((?:\\[^]|[^\\[\]]){1,999})\]/y; // "at most 999 characters"
const BETWEEN = /[ \t]*\n?[ \t]*/y;
const IN_BRACKETS = /<((?:\\[^\n]|[^\\<>\n])*)>/y;
const TITLE = /"(?:\\[^]|[^\\"])*"|'(?:\\[^]|[^\\'])*'|\((?:\\[^]|[^\\()])*\)/y;
const LINE_END = /[ \t]*(?:\n|$)/y;
const NO_LABEL = /^\[(?:\\[^]|[^\\[\]])*(?:\](?!:)|\[)/;

/** What a pattern matches at this place. */
export function matchAt(pattern, text, place) {
	pattern.lastIndex = place;
	return pattern.exec(text);
}

/** The document's definitions. `missed`: a text asked for one that had not come yet. */
export const newReferences = () => new Map();

/** "Case-insensitive match": case folding is not in JavaScript, but this is (ẞ, ß and SS). */
export function normalized(label) {
	return label.trim().replace(/[ \t\n]+/g, " ").toLowerCase().toUpperCase();
}

/** `[label]` at this place; null if there is none. */
export function readLabel(text, place) {
	const found = matchAt(LABEL, text, place);
	return found && { label: normalized(found[1]), end: place + found[0].length };
}

/** Where the destination at this place ends, and its address; null if there is none. */
export function readDestination(text, place) {
	const found = matchAt(IN_BRACKETS, text, place);
	if (found) return { address: unescaped(found[1]), end: place + found[0].length };
	if (text[place] === "<") return null;
	let depth = 0;
	let end = place;
	// It "includes parentheses only if (a) they are backslash-escaped or (b) […] a balanced pair".
	for (; end < text.length && !/[\0- \x7f]/.test(text[end]); end += 1) {
		if (text[end] === "\\" && /[!-/:-@[-`{-~]/.test(text[end + 1] ?? "")) end += 1;
		else if (text[end] === "(" && (depth += 1) > MAX_PARENTHESES) return null;
		else if (text[end] === ")" && (depth -= 1) < 0) break;
	}
	return depth > 0 ? null : { address: unescaped(text.slice(place, end)), end };
}

/** White space and a title, if both are here. */
export function readTitle(text, place) {
	const start = place + matchAt(BETWEEN, text, place)[0].length;
	const found = start > place && matchAt(TITLE, text, start);
	return found
		? { title: unescaped(found[0].slice(1, -1)), end: start + found[0].length }
		: { title: "", end: place };
}

/** Whether a paragraph that begins so may begin with a definition. */
export const mayDefine = (text) => text[0] === "[" && !NO_LABEL.test(text);

/** Calls `define` for each definition at the beginning of a paragraph; returns the rest. */
export function readDefinitions(text, define) {
	for (let place = 0; ; ) {
		const found = readDefinition(text, place);
		if (!found) return text.slice(place);
		define(found.label, found.target);
		place = found.end;
	}
}

function readDefinition(text, place) {
	const named = readLabel(text, place);
	if (!named?.label || text[named.end] !== ":") return null;
	const start = named.end + 1 + matchAt(BETWEEN, text, named.end + 1)[0].length;
	const destination = readDestination(text, start);
	const href = destination && destination.end > start && hrefOf(destination.address);
	if (!href && href !== "") return null;
	// `[a]: /b\n"c" d` is a definition without a title, and then text.
	for (const { title, end } of [readTitle(text, destination.end), { title: "", end: destination.end }]) {
		const last = matchAt(LINE_END, text, end);
		if (last) return { label: named.label, target: { href, title }, end: end + last[0].length };
	}
	return null;
}
