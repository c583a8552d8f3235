/*
 * Which words of the page a token has become. The page shows Markdown, so what it shows is not what
 * was sent: `**` is gone, `&amp;` is "&". Both texts are walked together, word by word:
 *
 *     sent    **Hello**, world!        shown   Hello, world!
 *               └───┘    └───┘                 └───┘  └───┘
 *
 * What was sent between two words is matched with what is shown between them. Nothing is wrapped in
 * an element: a range is lit with the CSS Custom Highlight API.
 */

import { find } from "../dom.js";
import { firstIndex } from "../viewer/columns.js";

const NEAR = 2000; // characters in which the next word is searched: a link's address may be between
const WORD = /[\p{L}\p{N}\p{M}]+/gu;
const HIDDEN = ".bar, button, .chip"; // texts of the page itself

/** The text nodes of an element that show the answer. */
function textNodes(element) {
	const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT, (node) =>
		node.parentElement.closest(HIDDEN) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT,
	);
	const nodes = [];
	while (walker.nextNode()) nodes.push(walker.currentNode);
	return nodes;
}

/**
 * The state of a walk at its beginning. all: the shown text so far; start: where the next node begins in
 * it; after, place: where the last common word ends, in the shown and in the sent text.
 */
const BEGIN = { all: "", starts: [], pairs: [[0, 0]], start: 0, after: 0, place: 0 };

/**
 * Walks both texts together. Exported for its test.
 *
 * @param {string[]} shown the texts of the nodes; no word continues in the next one
 * @param {string} sent
 * @param {object} before the `walk` that was returned for the nodes before these, if there are any
 * @returns {{starts: number[], pairs: number[][], walk: object}} where each node begins in all of the shown
 *     text; and [place in the shown text, place in the sent text], in order, where both have the same word
 */
export function align(shown, sent, before = BEGIN) {
	const all = before.all + shown.join("");
	const [starts, pairs] = [[...before.starts], [...before.pairs]];
	let { start, after, place } = before;
	for (const text of shown) {
		starts.push(start);
		for (const { 0: word, index } of text.matchAll(WORD)) {
			let from = sent.slice(place, place + NEAR + word.length).indexOf(word) + place;
			if (from < place) continue; // an entity, or a text that is not the answer's
			let at = start + index;
			const [end, to] = [at + word.length, from + word.length];
			// The same signs after the last word, and before this one.
			while (after < at && place < from && all[after] === sent[place]) [after, place] = [after + 1, place + 1];
			pairs.push([after, place]);
			while (at > after && from > place && all[at - 1] === sent[from - 1]) [at, from] = [at - 1, from - 1];
			pairs.push([at, from], [end, to]);
			[after, place] = [end, to];
		}
		start += text.length;
	}
	const walk = { all, starts, pairs, start, after, place };
	return { starts, pairs: [...pairs, [start, sent.length]], walk };
}

/** The place in one text of a place in the other; `from` 0 is the shown text, 1 the sent one. */
export function carry(pairs, place, from) {
	const next = firstIndex(0, pairs.length, (index) => pairs[index][from] > place);
	const [before, after] = [pairs[Math.max(0, next - 1)], pairs[Math.min(next, pairs.length - 1)]];
	return Math.min(before[1 - from] + (place - before[from]), Math.max(after[1 - from], before[1 - from]));
}

/**
 * The words of an answer on the page, and the lines of its recording.
 *
 * @param {Function} pointed called with the line of the word under the pointer, or -1, and whether it was
 *     chosen
 */
export function answerWords(pointed) {
	let answer, recording, parts;
	let isOnWord = false;

	function choose(next, itsRecording) {
		[answer, recording] = [next, itsRecording];
		parts = {};
		light(0);
		light(0, true);
		if (!answer?.article) return;
		for (const [selector, name] of [[".answer", "text"], [".thought", "thought"]]) {
			const element = find(selector, answer.article);
			if (element) parts[name] = shownWords(element, () => answer[name]);
		}
	}

	/** Lights the words of a token; 0 lights none. */
	function light(token, isChosen = false) {
		const registry = globalThis.CSS?.highlights;
		if (!registry) return; // an older browser: the lines are lit, the words are not
		const name = isChosen ? "wire-selected" : "wire-lit";
		registry.delete(name);
		const { tokens } = answer ?? {};
		if (!token || !(token <= tokens.end.length)) return;
		const part = parts[tokens.isThought[token - 1] ? "thought" : "text"];
		const range = part?.rangeOf(tokens.start[token - 1], tokens.end[token - 1]);
		if (range) registry.set(name, new Highlight(range));
	}

	const isWord = (target) => Boolean(target.closest?.(".answer, .thought"));

	/** The pointer is there. Returns whether there is a token. */
	function point(target, x, y, isChosen) {
		const isThought = Boolean(target.closest?.(".thought"));
		const part = isWord(target) && parts[isThought ? "thought" : "text"];
		const place = part && answer.article.contains(target) ? part.placeAt(x, y) : -1;
		const { tokens } = answer;
		const index = place < 0 ? -1 : tokens.end.findIndex((end, number) => end > place && tokens.isThought[number] === isThought);
		const isLine = index >= 0 && index < recording.tokens.length;
		if (isLine) pointed(recording.tokens.line[index], isChosen);
		else if (isOnWord && !isChosen) pointed(-1, false);
		isOnWord = isLine;
		return isLine;
	}

	return { choose, light, isWord, point };
}

/** @param {HTMLElement} element that shows it @param {Function} textOf the text that was sent */
function shownWords(element, textOf) {
	let known = null;
	let finished = { boxes: 0, nodes: [], walk: BEGIN };

	function look() {
		const sent = textOf();
		if (known?.sent === sent && known.nodes.at(-1)?.isConnected) return known;
		// While the answer runs, only its last two boxes of blocks change (markdown/render.js).
		if (!finished.nodes.every((node) => node.isConnected)) finished = { boxes: 0, nodes: [], walk: BEGIN };
		const boxes = [...element.children];
		const walkOn = (walk, nodes) => align(nodes.map(({ data }) => data), sent, walk);
		for (; finished.boxes < boxes.length - 2; finished.boxes += 1) {
			const nodes = textNodes(boxes[finished.boxes]);
			finished.walk = walkOn(finished.walk, nodes).walk;
			finished.nodes.push(...nodes);
		}
		const last = boxes.slice(finished.boxes).flatMap(textNodes);
		known = { sent, nodes: [...finished.nodes, ...last], ...walkOn(finished.walk, last) };
		return known;
	}

	return {
		/** The range that shows this part of the sent text, or null. */
		rangeOf(from, to) {
			const { nodes, starts, pairs } = look();
			const [begin, end] = [carry(pairs, from, 1), carry(pairs, to, 1)];
			if (begin >= end) return null;
			const range = new Range();
			const [first, last] = [begin, end - 1].map((at) => firstIndex(0, starts.length, (index) => starts[index] > at) - 1);
			range.setStart(nodes[first], begin - starts[first]);
			range.setEnd(nodes[last], end - starts[last]);
			return range;
		},
		/** The place in the sent text of a point of the window, or -1. */
		placeAt(x, y) {
			const caret = caretAt(x, y);
			const { nodes, starts, pairs } = look();
			const index = caret ? nodes.indexOf(caret.node) : -1;
			return index < 0 ? -1 : carry(pairs, starts[index] + caret.offset, 0);
		},
	};
}

/** The text node under a point, and the letter in it, if the point is on that letter. */
function caretAt(x, y) {
	const found = document.caretPositionFromPoint?.(x, y);
	const old = found ? null : document.caretRangeFromPoint?.(x, y);
	const [node, offset] = found ? [found.offsetNode, found.offset] : [old?.startContainer, old?.startOffset];
	if (node?.nodeType !== Node.TEXT_NODE) return null;
	// A caret is between two letters: the point may be on either.
	const range = new Range();
	for (const at of [offset, offset - 1]) {
		if (at < 0 || at >= node.length) continue;
		range.setStart(node, at);
		range.setEnd(node, at + 1);
		for (const { left, right, top, bottom } of range.getClientRects()) {
			if (x >= left && x <= right && y >= top && y <= bottom) return { node, offset: at };
		}
	}
	return null;
}
