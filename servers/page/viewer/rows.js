/*
 * A list of any length: only the rows in sight are in the document. While it follows, it stays
 * scrolled to its end. Otherwise it does not move when rows are added below.
 *
 *     const list = virtualList({label, count: () => 25_000, guess: (index, typical) => typical || 22,
 *                               keyOf: (index) => "…", draw: (index) => <li>, scrolled});
 *     list.draw()        after any change; a row is drawn again if its key has changed
 *     list.show(7)       scrolls to a row
 */

import { make } from "../dom.js";
import { rowHeights } from "./heights.js";

const AROUND = 150; // pixels drawn above and below what is in sight, unless the list follows its end
const MAX_DRAWN = 200; // rows in the document

/** `scrolled(isAtEnd, isUp)` is called when the reader scrolls. */
export function virtualList({ label, count, guess, keyOf, draw: drawRow, scrolled }) {
	const list = make("ol");
	const element = make("section", { className: "rows", tabIndex: 0, ariaLabel: label, onscroll: onScroll }, list);
	const heights = rowHeights();
	const shown = new Map(); // row -> {element, key}
	let follows = false;
	let [top, width, height, frame] = [0, 0, 0, 0];
	let typical = 0; // the height of the row that was measured last

	// The wheel stops the following before the list scrolls: a row drawn in between would undo the scrolling.
	const onWheel = ({ deltaY }) => deltaY < 0 && top > 0 && scrolled(false, true);
	element.addEventListener("wheel", onWheel, { passive: true });

	new ResizeObserver(() => {
		if (element.clientWidth !== width) wrapAnew();
		[width, height] = [element.clientWidth, element.clientHeight];
		draw();
	}).observe(element);

	/** Lines wrap elsewhere: each row is measured again. The first one in sight stays. */
	function wrapAnew() {
		const anchor = heights.at(top);
		clear();
		typical = 0;
		heights.resize(count(), (index) => guess(index, typical));
		top = heights.top(anchor);
	}

	function clear() {
		heights.clear();
		shown.clear();
		list.replaceChildren();
	}

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
		if (!height) return; // not in sight, or not laid out yet
		heights.resize(count(), (index) => guess(index, typical));
		// If rows are lower than guessed, there is room for more.
		for (let round = 0; round < 3 && fill(); round += 1);
	}

	/** Draws what is in sight. Returns whether that was less than the height of the window. */
	function fill() {
		const { length } = heights;
		if (follows) top = Math.max(0, heights.top(length) - height);
		const anchor = heights.at(top);
		const from = top - heights.top(anchor);
		const around = follows ? 0 : AROUND;
		const first = heights.at(Math.max(0, top - around));
		const last = Math.min(length, heights.at(top + height + around) + 1, first + MAX_DRAWN);
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
			const drawn = drawRow(index);
			drawn.ariaPosInSet = String(index + 1);
			drawn.ariaSetSize = String(length);
			if (row) {
				next = row.element.nextElementSibling;
				row.element.replaceWith(drawn);
			} else {
				list.insertBefore(drawn, next);
			}
			shown.set(index, (row = { element: drawn, key }));
			made.push([index, drawn]);
		}
		list.style.paddingTop = `${heights.top(first)}px`;
		list.style.paddingBottom = `${heights.top(length) - heights.top(last)}px`;
		const isOther = made.filter(([index, row]) => measure(index, row)).length > 0;
		if (isOther) {
			list.style.paddingTop = `${heights.top(first)}px`;
			list.style.paddingBottom = `${heights.top(length) - heights.top(last)}px`;
		}
		top = follows ? Math.max(0, heights.top(length) - height) : heights.top(anchor) + from;
		if (Math.abs(element.scrollTop - top) > 1) element.scrollTop = top;
		top = element.scrollTop;
		return heights.top(last) < Math.min(top + height, heights.top(length)) || heights.top(first) > top;
	}

	/** Returns whether a row's height was not as guessed. */
	function measure(index, row) {
		const { height } = row.getBoundingClientRect();
		typical = height;
		if (Math.abs(height - heights.of(index)) < 0.5) return false;
		heights.set(index, height);
		return true;
	}

	return {
		element,
		draw,
		drawSoon,
		/** All rows are others now. */
		clear,
		follow(value) {
			follows = value;
		},
		/** Scrolls to a row that is not in sight. */
		show(index) {
			heights.resize(count(), (index) => guess(index, typical));
			const [begin, end] = [heights.top(index), heights.top(index + 1)];
			const isInSight = begin >= top && end <= top + height;
			if (!isInSight) top = Math.max(0, begin - Math.max(0, height - (end - begin)) / 3);
			draw();
		},
	};
}
