/*
 * Inline Markdown: the text of a block becomes tokens, as it arrives.
 *
 *     a **b** `c`    ->   {text: "a "} {run: **} {text: "b"} {run: **} {text: " "} {nodes: [code]}
 *
 * This is CommonMark's own algorithm (0.31.2 §6, and the appendix "A parsing strategy") with its
 * stack of brackets; the delimiter runs go to emphasis.js. GitHub's bare addresses are links, too, and
 * formulas ($x$, \(x\)) are kept as typed. The only elements are strong, em, del, code, a and br:
 * HTML stays text. A picture becomes a link, because nothing is loaded from other sites.
 *
 * A token is decided once, when enough text has come after it; undecided text waits in `rest`. Code,
 * links and formulas have limits, so that no text waits for long: a longer one is plain text.
 */

import { hrefOf } from "./addresses.js";
import { addRun, flanking, newRuns } from "./emphasis.js";
import { characterOf, PUNCTUATION, REFERENCE } from "./entities.js";
import { addPieces, newPart, nodesOf } from "./parts.js";
import { matchAt, normalized, readDestination, readLabel, readTitle } from "./references.js";

/** Number of characters examined so far: a test reads it. */
export const work = { characters: 0 };

const MAX_CODE = 2000; // characters between backticks
const MAX_LINK = 2000; // from "[" to "]"
const MAX_TARGET = 2000; // from "(" to ")"
const MAX_RUN = 100; // delimiters in a row

// All of these patterns are tried at one position.
const at = (source, flags = "") => new RegExp(source, `${flags}y`);
// Plain text: words that do not begin an address, and the signs and spaces between them.
const TEXT = /(?:[^a-z0-9.+\\`*_~&<![\]$\n \t-]+|(?!www\.)[a-z0-9.+-]+(?=[^\w.+@:-])| (?=[^ \t\n]))+/iy;
const WORD = /[a-z0-9.+-]+/iy;
const SPACES = /[ \t]+/y;
const ESCAPE = at(String.raw`\\(${PUNCTUATION}|\n)`);
const RUN = /`+|\*+|_+|~+/y;
const ENTITY = at(REFERENCE);
const ADDRESS = /<([a-z][a-z0-9+.-]{1,31}:[^\s<>\p{Cc}]{0,1900})>/iuy;
const MAIL = /<([\w.!#$%&'*+/=?^`{|}~-]{1,200}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,9})>/iy;
// GFM §6.9, autolinks. They also end at punctuation of CJK, which has no spaces beside it.
const BARE = /(?:(?:https?|ftp):\/\/|www\.)[^\s<>`*"\p{Cc}\u3000-\u303f\uff00-\uffef]{1,2000}/iuy;
const BARE_MAIL = /[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,9}(?<![-_])(?![\w-])/y;
// Formulas of at most 1000 characters. "$" may also be a currency: there is no space after the first
// one, and no digit after the second.
const DOLLARS = at(
	String.raw`(?<![\w$])(?:\$\$[^$]{1,1000}\$\$|\$(?![\s$])(?:\\[^\n]|[^$\\\n]){1,1000}(?<!\s)\$(?![\d$]))`,
);
const BRACKETS = /\\\((?:(?!\\\))[^]){1,1000}\\\)|\\\[(?:(?!\\\])[^]){1,1000}\\\]/y;
// The beginning of one of these patterns, at the end of the text so far.
const UNFINISHED = at(
	[
		String.raw`&[#\w]{0,33}`,
		String.raw`<[^\s<>]{0,2000}`,
		String.raw`(?:(?:https?|ftp):|www\.)\S{0,2000}`,
		String.raw`[\w.+-]{1,64}(?:@[\w.-]{0,640})?`,
		String.raw`\$(?:\$[^$]{0,1000}\$?|(?:\\[^\n]|[^$\\\n]){0,1000}[\\$]?)`,
		String.raw`\\(?:[([](?:(?!\\[)\]])[^]){0,1001})?`,
	]
		.map((source) => `${source}$`)
		.join("|"),
	"i",
);
const LINK_START = /\([ \t]*\n?[ \t]*/y;
const LINK_END = /[ \t]*\n?[ \t]*\)/y;

/** The state of one text, with the document's definitions. */
export function newText(references) {
	return {
		references,
		missed: new Set(), // labels that no definition had yet
		before: "", // the last two decided characters, or all from the first open bracket on
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
	work.characters += source.length - place;

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
	const kept = Math.min(place - 2, (state.brackets[0]?.at ?? Infinity) - origin);
	state.before = source.slice(Math.max(0, kept), place);
	state.rest = source.slice(place);
	state.offset = origin + place;
	return tokens;

	/** Returns where the token ends, or null if that depends on more text. */
	function readToken(start) {
		const char = source[start];
		const { longRun } = state;
		state.longRun = "";
		if (char === " " || char === "\t") {
			const [spaces] = match(SPACES, start);
			state.spaces += spaces;
			return start + spaces.length;
		}
		if (char === "\n") {
			const isBreak = state.spaces.endsWith("  ");
			state.spaces = "";
			return isBreak ? addNode(start, 1, { tag: "br", children: [] }) : addText(start, "\n");
		}
		if (state.spaces) addText(start - state.spaces.length, state.spaces);
		state.spaces = "";
		const plain = match(TEXT, start);
		if (plain) return addText(start, plain[0]);
		if (longRun === char) {
			state.longRun = char;
			return addText(start, match(RUN, start)[0]);
		}
		if (!isEnd && match(UNFINISHED, start)) return null;
		const isLast = start + 1 === source.length;
		switch (char) {
			case "\\":
				return readFormula(BRACKETS, start) ?? readEscape(start);
			case "$":
				return readFormula(DOLLARS, start) ?? addText(start, char);
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
			case "!":
				if (isLast && !isEnd) return null;
				return source[start + 1] === "[" ? openBracket(start, "![") : addText(start, char);
			case "[":
				return openBracket(start, char);
			case "]":
				return isLast && !isEnd ? null : closeBracket(start);
			default:
				return readWord(start);
		}
	}

	function match(pattern, start) {
		return matchAt(pattern, source, start);
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
		const { brackets } = state;
		const index = state.passed + state.waiting.length;
		if (brackets.length) brackets.at(-1).hasInner = true;
		brackets.push({ at: origin + start, index, isImage: text === "![", isActive: true });
		add({ at: origin + start, text });
		return start + text.length;
	}

	function expire() {
		const { brackets } = state;
		while (brackets.length && origin + place - brackets[0].at > MAX_LINK) brackets.shift();
		pass();
	}

	/** "look for link or image": the appendix of the standard. Null if that depends on more text. */
	function closeBracket(start) {
		const opener = state.brackets.at(-1);
		let link = opener?.isActive ? readTarget(start + 1) : null;
		if (opener?.isActive && !link) {
			if (mayGoOn(start + 1)) return null;
			link = readReference(opener, start);
		}
		if (!link) {
			const end = addText(start, "]"); // the opener's tokens wait for this one
			state.brackets.pop();
			pass();
			return end;
		}
		state.brackets.pop();
		const [, ...inside] = state.waiting.splice(opener.index - state.passed);
		const children = withoutLinks(treeOf(inside));
		// "we also set all [ delimiters before the opening delimiter to inactive": no link in a link
		for (const bracket of opener.isImage ? [] : state.brackets) {
			bracket.isActive &&= bracket.isImage;
		}
		const { href, title } = link.target;
		const length = origin + link.end - opener.at;
		add({ at: opener.at, nodes: [{ tag: "a", href, title, children }], length });
		return link.end;
	}

	/** An address in parentheses, or a label in brackets, may not have come to its end. */
	function mayGoOn(start) {
		if (isEnd || source.length > start + MAX_TARGET) return false;
		const rest = source.slice(start);
		return rest[0] === "(" || /^\[(?:\\[^]|[^\\[\]]){0,999}\\?$/.test(rest);
	}

	/** `(address "title")`: where it ends, and what the link gets. */
	function readTarget(start) {
		const text = source.slice(start, start + MAX_TARGET);
		const opening = matchAt(LINK_START, text, 0);
		const destination = opening && readDestination(text, opening[0].length);
		const href = destination && hrefOf(destination.address);
		if (href === null) return null;
		const { title, end } = readTitle(text, destination.end);
		const closing = matchAt(LINK_END, text, end);
		return closing && { target: { href, title }, end: start + end + closing[0].length };
	}

	/** `[text][label]`, `[label][]` or `[label]`. */
	function readReference(opener, start) {
		const next = readLabel(source, start + 1);
		const first = opener.at - origin + (opener.isImage ? 2 : 1);
		const isAlone = !next && !opener.hasInner && start - first < 1000;
		const label = next?.label ?? (isAlone ? normalized(source.slice(first, start)) : "");
		const target = state.references.get(label);
		if (!target) {
			if (label) state.missed.add(label);
			return null;
		}
		const isCollapsed = !next && source.startsWith("[]", start + 1);
		return { target, end: next?.end ?? start + (isCollapsed ? 3 : 1) };
	}

	function readAddress(start) {
		const [mail, found] = [match(MAIL, start), match(ADDRESS, start)];
		const href = mail ? hrefOf(`mailto:${mail[1]}`) : found && hrefOf(found[1]);
		if (!href) return addText(start, "<");
		const [whole, address] = mail ?? found;
		return addNode(start, whole.length, { tag: "a", href, children: [address] });
	}

	/** A word, unless it begins an address. */
	function readWord(start) {
		const isInside = /[a-z0-9/]/i.test(source[start - 1] ?? "");
		const found = isInside ? null : match(BARE, start);
		const bare = found && found[0].length < MAX_TARGET ? withoutEnding(found[0]) : "";
		const mail = !isInside && !bare ? match(BARE_MAIL, start)?.[0] : "";
		const href = mail ? `mailto:${mail}` : /^www/i.test(bare) ? `http://${bare}` : bare;
		if (!href || !hrefOf(href)) return addText(start, match(WORD, start)[0]);
		const children = [mail || bare];
		return addNode(start, children[0].length, { tag: "a", href, children });
	}

	// ---- Other tokens

	function readEscape(start) {
		const [, escaped = ""] = match(ESCAPE, start) ?? [];
		if (escaped === "\n") return addNode(start, 2, { tag: "br", children: [] });
		return addText(start, escaped || "\\", 1 + escaped.length);
	}

	/** Kept as typed. Null if it has neither a letter nor a digit: `\(\)` are two escapes. */
	function readFormula(pattern, start) {
		const [formula] = match(pattern, start) ?? [""];
		if (!/[\p{L}\p{N}]/u.test(formula)) return null;
		return addNode(start, formula.length, { tag: "code", className: "math", children: [formula] });
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
		if (char === "~" && length > 2) return addText(start, run);
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

/** Punctuation after an address is not part of it: (see https://example.org/). */
function withoutEnding(address) {
	let surplus = address.split(")").length - address.split("(").length;
	// `&hl;` at the end may be a reference.
	let end = address.length - (/&[a-z0-9]+;$/i.exec(address)?.[0].length ?? 0);
	for (; end; end -= 1) {
		const last = address[end - 1];
		if (last === ")" ? (surplus -= 1) < 0 : !".,:;!?'_~]".includes(last)) break;
	}
	return address.slice(0, end);
}
