/*
 * Bytes with a cut: a slider moves it, and so does a finger or the mouse on the bytes themselves.
 *
 *     id: 0-3\n
 *     data: {"t|ext":" three"}\n        before the cut: .piece, after it: .rest
 *
 * The slider holds the position, in bytes. So the keyboard works, and a screen reader tells it.
 */

/** An event stream's bytes as text: each line end is shown, and ends the line on the page, too. */
export function visible(bytes) {
	return new TextDecoder().decode(bytes).replaceAll("\n", "\\n\n");
}

/**
 * @param {HTMLElement} box holds two elements: what is before the cut, and what is after it
 * @param {HTMLInputElement} slider from 0 or more to the number of bytes or less
 * @param {Uint8Array} bytes
 */
export function cutBytes(box, slider, bytes) {
	const [piece, rest] = box.children;

	function draw() {
		piece.textContent = visible(bytes.subarray(0, slider.value));
		rest.textContent = visible(bytes.subarray(slider.value));
	}

	/** Moves the cut to the byte at this place of the window. */
	function drag({ clientX, clientY }) {
		const caret = caretAt(clientX, clientY);
		if (!caret || !box.contains(caret.node)) return;
		const before = rest.contains(caret.node) ? piece.textContent.length : 0;
		const at = byteAt(bytes, before + caret.offset);
		slider.value = at; // within its limits
		slider.dispatchEvent(new Event("input", { bubbles: true }));
	}

	slider.addEventListener("input", draw);
	box.addEventListener("pointerdown", (event) => {
		box.setPointerCapture(event.pointerId);
		drag(event);
	});
	box.addEventListener("pointermove", (event) => {
		if (box.hasPointerCapture(event.pointerId)) drag(event);
	});
	draw();
}

/** The smallest number of bytes whose text is at least this long. */
function byteAt(bytes, length) {
	let at = 0;
	while (at < bytes.length && visible(bytes.subarray(0, at)).length < length) at += 1;
	return at;
}

function caretAt(x, y) {
	if (document.caretPositionFromPoint) {
		const caret = document.caretPositionFromPoint(x, y);
		return caret && { node: caret.offsetNode, offset: caret.offset };
	}
	const range = document.caretRangeFromPoint(x, y); // Safari, and Chromium before 128
	return range && { node: range.startContainer, offset: range.startOffset };
}
