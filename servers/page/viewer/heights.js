/*
 * The height of each row of a long list: a guess at first, measured after the row has been drawn.
 * So the list knows where its row 20,000 is without drawing the 19,999 rows above. The heights of
 * each 128 rows are also kept as a sum, so a search adds few numbers.
 */

import { grown } from "./columns.js";

const BLOCK = 128;

export function rowHeights() {
	let heights = new Float32Array(BLOCK);
	let sums = new Float64Array(1);
	let length = 0;

	function set(index, height) {
		sums[Math.floor(index / BLOCK)] += height - heights[index];
		heights[index] = height;
	}

	return {
		get length() { return length; },
		of: (index) => heights[index],
		set,
		/** The list has this many rows; `guess` gives the height of a new one. */
		resize(count, guess) {
			for (; length > count; length -= 1) set(length - 1, 0);
			if (count > heights.length) {
				heights = grown(heights, Math.max(count, 2 * heights.length));
				sums = grown(sums, Math.ceil(heights.length / BLOCK));
			}
			for (; length < count; length += 1) set(length, guess(length));
		},
		clear() {
			heights.fill(0);
			sums.fill(0);
			length = 0;
		},
		/** Where a row begins; that of `length` is the height of all. */
		top(index) {
			let top = 0;
			const block = Math.floor(index / BLOCK);
			for (let number = 0; number < block; number += 1) top += sums[number];
			for (let row = block * BLOCK; row < index; row += 1) top += heights[row];
			return top;
		},
		/** The row at this height. */
		at(y) {
			let block = 0;
			while ((block + 1) * BLOCK < length && y >= sums[block]) y -= sums[block++];
			let row = block * BLOCK;
			while (row + 1 < length && y >= heights[row]) y -= heights[row++];
			return row;
		},
	};
}
