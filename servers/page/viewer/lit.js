/*
 * Which line is lit, because the pointer is on it, and which one is selected. Each element that
 * shows a part of a line (a row, a byte) has the line's number in `data-line`. This file marks it.
 */

/** @param {HTMLElement} root in which lines are marked @param {Function} changed called after a change */
export function litLines(root, changed) {
	const state = { lit: -1, selected: -1, light, select, mark, lineOf };

	function lineOf(target) {
		return Number(target.closest?.("[data-line]")?.dataset.line ?? -1);
	}

	function mark(element = root) {
		for (const part of [element, ...element.querySelectorAll("[data-line]")]) {
			const line = Number(part.dataset.line ?? -1);
			part.classList.toggle("lit", line >= 0 && line === state.lit);
			part.classList.toggle("selected", line >= 0 && line === state.selected);
		}
	}

	function light(line) {
		if (line === state.lit) return;
		state.lit = line;
		mark();
		changed();
	}

	function select(line) {
		state.selected = line;
		mark();
		changed();
	}

	return state;
}
