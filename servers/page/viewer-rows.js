/*
 * A list of which only the rows in sight are in the document, however long it is. It keeps to its end
 * while it follows, and keeps its place while rows come below.
 *
 *     const list = virtualList({label, count: () => 25_000, guess: (index) => 22,
 *                               keyOf: (index) => "…", draw: (index) => <li>, scrolled});
 *     list.draw()        after any change; a row is drawn again if its key has changed
 *     list.show(7)       scrolls to a row
 */

import { make } from "./dom.js";
import { rowHeights } from "./viewer-heights.js";

const AROUND = 150; // pixels drawn above and below what is in sight
const MAX_DRAWN = 200; // rows in the document

/** `scrolled(isAtEnd, isUp)` is called when the reader scrolls. */
export function virtualList({ label, count, guess, keyOf, draw: drawRow, scrolled }) {
	const list = make("ol");
	const element = make("section", { className: "rows", tabIndex: 0, ariaLabel: label, onscroll: onScroll }, list);
	const heights = rowHeights();
	const shown = new Map(); // row -> {element, key}
	let follows = false;
	let [top, width, frame] = [0, 0, 0];

	new ResizeObserver(() => {
		if (element.clientWidth !== width) heights.clear(); // lines wrap elsewhere
		width = element.clientWidth;
		drawSoon();
	}).observe(element);

	function onScroll() {
		const isUp = element.scrollTop < top - 1;
		const below = element.scrollHeight - element.clientHeight - element.scrollTop;
		if (Math.abs(element.scrollTop - top) > 1) scrolled(below < 2, isUp);
		top = element.scrollTop;
		drawSoon();
	}

	function drawSoon() {
		frame ||= requestAnimationFrame(draw);
	}

	function draw() {
		cancelAnimationFrame(frame);
		frame = 0;
		const height = element.clientHeight;
		if (!height) return; // not in sight
		heights.resize(count(), guess);
		// A row may be lower than guessed: then there is room for more.
		for (let round = 0; round < 3; round += 1) if (!fill(height)) break;
	}

	/** Draws what is in sight. Returns whether a height was not as guessed. */
	function fill(height) {
		const { length } = heights;
		if (follows) top = Math.max(0, heights.top(length) - height);
		const anchor = heights.at(top);
		const from = top - heights.top(anchor);
		const first = heights.at(Math.max(0, top - AROUND));
		const last = Math.min(length, heights.at(top + height + AROUND) + 1, first + MAX_DRAWN);
		for (const [index, row] of shown) {
			if (index >= first && index < last) continue;
			row.element.remove();
			shown.delete(index);
		}
		const made = [];
		let next = list.firstElementChild;
		for (let index = first; index < last; index += 1) {
			const key = keyOf(index);
			let row = shown.get(index);
			if (row?.key === key) {
				next = row.element.nextElementSibling;
				continue;
			}
			const made1 = drawRow(index);
			made1.ariaPosInSet = String(index + 1);
			made1.ariaSetSize = String(length);
			if (row) {
				next = row.element.nextElementSibling;
				row.element.replaceWith(made1);
			} else {
				list.insertBefore(made1, next);
			}
			shown.set(index, (row = { element: made1, key }));
			made.push([index, made1]);
		}
		list.style.paddingTop = `${heights.top(first)}px`;
		list.style.paddingBottom = `${heights.top(length) - heights.top(last)}px`;
		let isOther = false;
		for (const [index, row] of made) {
			const measured = row.getBoundingClientRect().height;
			isOther ||= Math.abs(measured - heights.of(index)) > 0.5;
			heights.set(index, measured);
		}
		if (isOther) {
			list.style.paddingTop = `${heights.top(first)}px`;
			list.style.paddingBottom = `${heights.top(length) - heights.top(last)}px`;
		}
		top = follows ? Math.max(0, heights.top(length) - height) : heights.top(anchor) + from;
		if (Math.abs(element.scrollTop - top) > 1) element.scrollTop = top;
		top = element.scrollTop;
		return isOther;
	}

	return {
		element,
		draw,
		drawSoon,
		/** All rows are others now. */
		clear() {
			heights.clear();
			shown.clear();
			list.replaceChildren();
		},
		follow(value) {
			follows = value;
		},
		/** Scrolls as little as needed, so that a row is in sight. */
		show(index) {
			heights.resize(count(), guess);
			const [begin, end] = [heights.top(index), heights.top(index + 1)];
			const height = element.clientHeight;
			if (begin < top) top = begin;
			else if (end > top + height) top = Math.min(begin, end - height);
			draw();
		},
		elementOf: (index) => shown.get(index)?.element,
	};
}
