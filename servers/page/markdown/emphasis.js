/*
 * Emphasis: CommonMark 0.31.2 §6.2, with GitHub's ~~strikethrough~~, while the text arrives.
 *
 *     **a *b* c**     runs ** * * **  ->  marks: em of 4–7, strong of 0–11
 *
 * This is the standard's own algorithm. It looks back from each run that can close, from left to
 * right, for the nearest run that can open. So later text changes nothing: a run is matched once,
 * when it arrives.
 *
 * A mark is an interval of the text, with its delimiters. It may cover many parts (parts.js).
 */

const MAX_DEPTH = 16; // levels of nested marks; the outer ones are text

const TAGS = { "*": "em", _: "em", "**": "strong", __: "strong", "~": "del", "~~": "del" };
const SPACE = /^[\p{Zs}\t\n\f\r]/u;
const PUNCTUATION = /^[\p{P}\p{S}]/u;
// In a script without spaces, punctuation does not show where a word ends: **“你好”**世界.
const CJK = /^[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\p{sc=Bopo}]/u;

/**
 * Whether a run can open and close.
 *
 * "A left-flanking delimiter run is […] (1) not followed by Unicode whitespace, and either (2a) not
 * followed by a Unicode punctuation character, or (2b) followed by [one] and preceded by Unicode
 * whitespace or a Unicode punctuation character."
 */
export function flanking(char, before, after) {
	const flanks = (near, far) =>
		!SPACE.test(near) &&
		(!PUNCTUATION.test(near) || SPACE.test(far) || PUNCTUATION.test(far) || CJK.test(far));
	const [left, right] = [flanks(after, before), flanks(before, after)];
	if (char !== "_") return { canOpen: left, canClose: right };
	return {
		canOpen: left && (!right || PUNCTUATION.test(before)),
		canClose: right && (!left || PUNCTUATION.test(after)),
	};
}

// The stack of runs that can open is a chain of objects that are never changed, so a copy of the
// state costs nothing. `height`: the nesting depth of the marks after a run.
const BOTTOM = { height: 0, below: null };

/** `bottoms`: for each kind of closing run, the offset below which nothing can match. */
export const newRuns = () => ({ top: BOTTOM, bottoms: {} });

/**
 * @param {object} run char, at (its offset), length, canOpen, canClose, part (its number)
 * @param {Function} addMark gets {tag, from, to, width (of its delimiters)} and the opener's part
 */
export function addRun(runs, run, addMark) {
	let left = run.length;
	while (run.canClose && left) {
		const found = findOpener(runs, run);
		if (!found) break;
		const { opener, height } = found;
		const width = Math.min(left, opener.left, 2);
		const from = opener.at + opener.left - width;
		const to = run.at + run.length - left + width;
		addMark({ tag: TAGS[run.char.repeat(width)], from, to, width }, opener.part);
		left -= width;
		const { below } = opener;
		runs.top =
			opener.left > width
				? { ...opener, left: opener.left - width, height }
				: { ...below, height: Math.max(below.height, height) };
	}
	if (!run.canOpen || !left) return;
	runs.top = { ...run, at: run.at + run.length - left, left, height: 0, below: runs.top };
}

function findOpener(runs, run) {
	// All closing runs with the same key match the same opening runs.
	const key = run.char + run.canOpen + (run.length % 3); // 1 or 2 tildes, too
	const bottom = runs.bottoms[key] ?? 0;
	let height = 0;
	for (let opener = runs.top; opener.below && opener.at >= bottom; opener = opener.below) {
		height = Math.max(height, opener.height);
		if (!fits(opener, run)) continue;
		if (height >= MAX_DEPTH) break;
		return { opener, height: height + 1 };
	}
	runs.bottoms = { ...runs.bottoms, [key]: run.at };
	return null;
}

function fits(opener, closer) {
	if (opener.char !== closer.char) return false;
	// GFM §6.5: "a matching pair of one or two tildes".
	if (opener.char === "~") return opener.length === closer.length;
	// "If one of the delimiters can both open and close emphasis, then the sum of the lengths […] must
	// not be a multiple of 3 unless both lengths are multiples of 3."
	const sum = opener.length + closer.length;
	return !(opener.canClose || closer.canOpen) || sum % 3 > 0 || closer.length % 3 === 0;
}
