/*
 * Inline Markdown: the text of a block becomes tokens, as it arrives.
 *
 *     a **b** `c`    ->   {text: "a "} {run: **} {text: "b"} {run: **} {text: " "} {nodes: [code]}
 *
 * CommonMark 0.31.2 §2.4, §2.5 and §6, with GitHub's bare addresses; the runs go to emphasis.js.
 * Tags are strong, em, del, code, a and br, and no other: HTML is text. A picture is a link,
 * because nothing is loaded from other sites. A link must be http, https or mailto; others are text.
 *
 * A token is decided once, when enough text has come after it; undecided text waits in `rest`. Code
 * and links have limits, so that no text waits for long: a longer one is plain text.
 *
 * What it does not do: references, HTML.
 */

import { addRun, flanking, newRuns } from "./emphasis.js";
import { characterOf, REFERENCE } from "./entities.js";
import { addPieces, newPart, nodesOf } from "./parts.js";

/** Number of characters examined so far: a test reads it. */
export const work = { characters: 0 };

const MAX_CODE = 2000; // characters between backticks
const MAX_LINK = 2000; // from "[" to "]"
const MAX_TARGET = 2000; // from "(" to ")"
const MAX_RUN = 100; // delimiters in a row
const MAX_PARENTHESES = 32; // nested in an address

const HREF = /^(?:https?:\/\/|mailto:)[^\s\p{Cc}]+$/iu;
const PUNCTUATION = String.raw`[!-/:-@[-\`{-~]`;
const ESCAPED = new RegExp(String.raw`\\(${PUNCTUATION})|${REFERENCE}`, "g");

// All of these patterns are tried at one position.
const at = (source, flags = "") => new RegExp(source, `${flags}y`);
const PLAIN = at(String.raw`(?:[^\\\`*_~&<![\]\n \thH]|(?<=[a-z0-9/])h|h(?=[^t]))+`, "i");
const SPACES = /[ \t]+/y;
const ESCAPE = at(String.raw`\\(${PUNCTUATION}|\n)`);
const RUN = /`+|\*+|_+|~+/y;
const ENTITY = at(REFERENCE);
const ADDRESS = /<([a-z][a-z0-9+.-]{1,31}:[^\s<>\p{Cc}]{0,1900})>/iuy;
const MAIL = /<([\w.!#$%&'*+/=?^`{|}~-]{1,200}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,9})>/iy;
const BARE = /https?:\/\/[^\s<>`*"\p{Cc}\u3000-\u303f\uff00-\uffef]{1,2000}/iuy;
// Beginnings of the last four patterns, where the text ends inside them.
const UNFINISHED = /&[#\w]{0,33}$|<[^\s<>]{0,2000}$|h(?:t(?:t(?:ps?(?::(?:\/(?:\/\S{0,2000})?)?)?)?)?)?$/iy;
const LINK_START = /\([ \t\n]*/y;
const LINK_IN_BRACKETS = /<((?:\\[^\n]|[^\\<>\n])*)>/y;
const TITLE = String.raw`"(?:\\[^]|[^\\"])*"|'(?:\\[^]|[^\\'])*'|\((?:\\[^]|[^\\()])*\)`;
const LINK_END = at(String.raw`(?:[ \t\n]+(?:${TITLE}))?[ \t\n]*\)`);

/** The state of one text. */
export function newText() {
	return {
		before: "", // the last two decided characters
		rest: "", // the undecided text
		offset: 0, // of `rest`
		spaces: "", // ignored at the end of a line
		longRun: "", // the delimiter of a run longer than MAX_RUN
		brackets: [], // "[" that may begin a link: {at, index of its token, isImage, isActive}
		waiting: [], // the tokens from the first of them on
		passed: 0, // number of tokens that have left `waiting`
		runs: newRuns(),
	};
}

/** A copy of the state, for a preview. */
export function copyOf(state) {
	const brackets = state.brackets.map((bracket) => ({ ...bracket }));
	return { ...state, brackets, waiting: [...state.waiting], runs: { ...state.runs } };
}

/**
 * @param {object} state of this text
 * @param {string} text may be split anywhere
 * @param {boolean} isEnd nothing follows
 * @param {boolean} isLook a preview only: marks in an unfinished link stay inside it
 * @returns {object[]} the decided tokens: {at, text}, {at, nodes, length} and {at, run}
 */
export function read(state, text, isEnd = false, isLook = false) {
	const source = state.before + state.rest + text;
	const tokens = [];
	let place = state.before.length;
	const origin = state.offset - place;
	work.characters += source.length;

	while (place < source.length) {
		expire();
		const end = readToken(place);
		if (end === null) break;
		place = end;
	}
	// "Spaces at the end of the line […] are ignored"; but this line may go on.
	if (isLook && state.spaces) addText(place - state.spaces.length, state.spaces.slice(0, 80));
	if (isEnd && !isLook) state.brackets = [];
	pass();
	const [first] = state.waiting;
	if (isLook && first) tokens.push({ at: first.at, nodes: treeOf(state.waiting), length: 0 });
	state.before = source.slice(Math.max(0, place - 2), place);
	state.rest = source.slice(place);
	state.offset = origin + place;
	return tokens;

	/** Returns where the token ends, or null if that depends on more text. */
	function readToken(start) {
		const char = source[start];
		const { longRun } = state;
		state.longRun = "";
		const spaces = match(SPACES, start);
		if (spaces) {
			state.spaces += spaces[0];
			return start + spaces[0].length;
		}
		if (char === "\n") {
			const isBreak = state.spaces.endsWith("  ");
			state.spaces = "";
			return isBreak ? addNode(start, 1, { tag: "br", children: [] }) : addText(start, "\n");
		}
		if (state.spaces) addText(start - state.spaces.length, state.spaces);
		state.spaces = "";
		const plain = match(PLAIN, start);
		if (plain) return addText(start, plain[0]);
		if (longRun === char) {
			state.longRun = char;
			return addText(start, match(RUN, start)[0]);
		}
		if (!isEnd && match(UNFINISHED, start)) return null;
		const isLast = start + 1 === source.length;
		switch (char) {
			case "\\":
				return isLast && !isEnd ? null : readEscape(start);
			case "`":
				return readCode(start);
			case "*":
			case "_":
			case "~":
				return readRun(start);
			case "&": {
				const entity = match(ENTITY, start);
				return entity ? addText(start, characterOf(entity[0]), entity[0].length) : addText(start, char);
			}
			case "<":
				return readAddress(start);
			case "h":
			case "H":
				return readBareAddress(start);
			case "!":
				if (isLast && !isEnd) return null;
				return source[start + 1] === "[" ? openBracket(start, "![") : addText(start, char);
			case "[":
				return openBracket(start, char);
			default: // "]"
				return isLast && !isEnd ? null : closeBracket(start);
		}
	}

	function match(pattern, start) {
		pattern.lastIndex = start;
		return pattern.exec(source);
	}

	// ---- Output

	function add(token) {
		(state.brackets.length ? state.waiting : tokens).push(token);
	}

	/** `length` is the length in the source. Adjacent texts become one token. */
	function addText(start, text, length = text.length) {
		const all = state.brackets.length ? state.waiting : tokens;
		const last = all.at(-1);
		const opener = state.brackets.at(-1);
		const isOwn = last?.text !== undefined && opener?.index !== state.passed + all.length - 1;
		if (isOwn) all[all.length - 1] = { at: last.at, text: last.text + text };
		else add({ at: origin + start, text });
		return start + length;
	}

	function addNode(start, length, ...nodes) {
		add({ at: origin + start, nodes, length });
		return start + length;
	}

	/** Pass on the tokens that no open bracket before them can turn into a link. */
	function pass() {
		const { brackets, waiting } = state;
		const count = brackets.length ? brackets[0].index - state.passed : waiting.length;
		if (!count) return;
		tokens.push(...waiting.splice(0, count));
		state.passed += count;
	}

	// ---- Links

	function openBracket(start, text) {
		const index = state.passed + state.waiting.length;
		state.brackets.push({ at: origin + start, index, isImage: text === "![", isActive: true });
		add({ at: origin + start, text });
		return start + text.length;
	}

	function expire() {
		const { brackets } = state;
		while (brackets.length && origin + place - brackets[0].at > MAX_LINK) brackets.shift();
		pass();
	}

	function closeBracket(start) {
		const target = readTarget(start + 1);
		const isDecided = isEnd || target || source.length > start + MAX_TARGET;
		if (source[start + 1] === "(" && state.brackets.length && !isDecided) return null;
		const opener = state.brackets.pop();
		if (!opener?.isActive || !target) {
			if (opener) state.brackets.push(opener); // so that its tokens wait for this one
			const end = addText(start, "]");
			if (opener) state.brackets.pop();
			pass();
			return end;
		}
		const [, ...inside] = state.waiting.splice(opener.index - state.passed);
		const children = withoutLinks(treeOf(inside));
		if (!children.length) children.push(target.href);
		// "we also set all [ delimiters before the opening delimiter to inactive": no link in a link
		for (const bracket of opener.isImage ? [] : state.brackets) {
			bracket.isActive &&= bracket.isImage;
		}
		const length = origin + target.end - opener.at;
		add({ at: opener.at, nodes: [{ tag: "a", href: target.href, children }], length });
		return target.end;
	}

	/** `(address "title")`: where it ends, and the address if it is allowed. */
	function readTarget(start) {
		const text = source.slice(start, start + MAX_TARGET);
		const matchHere = (pattern, index) => {
			pattern.lastIndex = index;
			return pattern.exec(text);
		};
		const opening = matchHere(LINK_START, 0);
		if (!opening) return null;
		const first = opening[0].length;
		const inBrackets = matchHere(LINK_IN_BRACKETS, first);
		if (text[first] === "<" && !inBrackets) return null;
		const addressEnd = inBrackets ? first + inBrackets[0].length : endOfAddress(text, first);
		const rest = matchHere(LINK_END, addressEnd);
		const href = hrefOf(unescaped(inBrackets?.[1] ?? text.slice(first, addressEnd)));
		return rest && href ? { end: start + addressEnd + rest[0].length, href } : null;
	}

	function readAddress(start) {
		const [mail, found] = [match(MAIL, start), match(ADDRESS, start)];
		const href = mail ? hrefOf(`mailto:${mail[1]}`) : found && hrefOf(found[1]);
		if (!href) return addText(start, "<");
		const [whole, address] = mail ?? found;
		return addNode(start, whole.length, { tag: "a", href, children: [address] });
	}

	function readBareAddress(start) {
		const found = /[a-z0-9/]/i.test(source[start - 1] ?? "") ? null : match(BARE, start);
		const href = found && withoutEnding(found[0]);
		if (!href || !hrefOf(href) || found[0].length >= MAX_TARGET) return addText(start, source[start]);
		return addNode(start, href.length, { tag: "a", href, children: [href] });
	}

	// ---- Other tokens

	function readEscape(start) {
		const [, escaped = ""] = match(ESCAPE, start) ?? [];
		if (escaped === "\n") return addNode(start, 2, { tag: "br", children: [] });
		return addText(start, escaped || "\\", 1 + escaped.length);
	}

	function readCode(start) {
		const run = match(RUN, start)[0];
		const begin = start + run.length;
		if (run.length > MAX_RUN) return readLongRun(start, run);
		if (!isEnd && begin === source.length) return null;
		const ticks = /`+/g;
		ticks.lastIndex = begin;
		for (let closing; (closing = ticks.exec(source)) && closing.index <= begin + MAX_CODE; ) {
			if (!isEnd && ticks.lastIndex === source.length) return null;
			if (closing[0].length !== run.length) continue;
			const code = source.slice(begin, closing.index).replaceAll("\n", " ");
			const children = [code.replace(/^ (.*[^ ].*) $/su, "$1")];
			return addNode(start, ticks.lastIndex - start, { tag: "code", children });
		}
		return isEnd || source.length > begin + MAX_CODE ? addText(start, run) : null;
	}

	function readRun(start) {
		const run = match(RUN, start)[0];
		const end = start + run.length;
		const [char, { length }] = [run[0], run];
		if (length > MAX_RUN) return readLongRun(start, run);
		// A character may have two code units.
		if (!isEnd && source.length < end + 2) return null;
		if (char === "~" && length !== 2) return addText(start, run);
		// "The beginning and the end of the line count as Unicode whitespace."
		const before = [...source.slice(Math.max(0, start - 2), start)].at(-1) ?? "\n";
		const after = end < source.length ? String.fromCodePoint(source.codePointAt(end)) : "\n";
		const flanks = flanking(char, before, after);
		add({ at: origin + start, run: { char, length, ...flanks } });
		return end;
	}

	/** A run longer than MAX_RUN is text, and so is the rest of it. */
	function readLongRun(start, run) {
		state.longRun = run[0];
		return addText(start, run);
	}
}

/** Some tokens as strings and {tag, children}, without the others. */
function treeOf(tokens) {
	const part = { children: [], ...newPart() };
	const runs = newRuns();
	for (const token of tokens) {
		addPieces(part, token);
		if (token.run) addRun(runs, { ...token.run, at: token.at }, (mark) => part.marks.push(mark));
	}
	return nodesOf(part);
}

/** "Links may not contain other links, at any level of nesting." */
function withoutLinks(nodes) {
	return nodes.flatMap((node) => {
		if (typeof node === "string") return [node];
		const children = withoutLinks(node.children);
		return node.tag === "a" ? children : [{ ...node, children }];
	});
}

/** "Any ASCII punctuation character may be backslash-escaped", and entities are characters. */
export function unescaped(text) {
	return text.replace(ESCAPED, (all, escaped) => escaped ?? characterOf(all));
}

/** The address if a link may have it, or "". */
function hrefOf(address) {
	const href = address.replaceAll(" ", "%20");
	return HREF.test(href) ? href : "";
}

/** It "includes parentheses only if (a) they are backslash-escaped or (b) […] a balanced pair". */
function endOfAddress(text, start) {
	let depth = 0;
	let end = start;
	for (; end < text.length && !/[\s\p{Cc}]/u.test(text[end]); end += 1) {
		if (text[end] === "\\" && /[!-~]/.test(text[end + 1] ?? "")) end += 1;
		else if (text[end] === "(" && (depth += 1) > MAX_PARENTHESES) break;
		else if (text[end] === ")" && (depth -= 1) < 0) break;
	}
	return end;
}

/** Punctuation after an address is not part of it: (see https://example.org/). */
function withoutEnding(address) {
	let surplus = address.split(")").length - address.split("(").length;
	let end = address.length;
	for (; end; end -= 1) {
		const last = address[end - 1];
		if (last === ")" ? (surplus -= 1) < 0 : !".,:;!?'_~]".includes(last)) break;
	}
	return address.slice(0, end);
}
