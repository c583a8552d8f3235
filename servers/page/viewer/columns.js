/*
 * A growing table that keeps each column in a typed array: 25,000 rows of ten numbers take 2 MB,
 * and no row is an object.
 *
 *     const spans = columns({ label: Uint8Array, start: Float64Array });
 *     spans.push({ label: 3, start: 155 });
 *     spans.start[0], spans.length
 */

export function columns(types) {
	const names = Object.keys(types);
	const table = { length: 0, push };
	for (const name of names) table[name] = new types[name](64);

	function push(row) {
		for (const name of names) {
			if (table.length === table[name].length) table[name] = grown(table[name], 2 * table.length);
			table[name][table.length] = row[name] ?? 0;
		}
		return table.length++;
	}

	return table;
}

/** The same numbers in an array of this length. */
export function grown(array, length) {
	const larger = new array.constructor(length);
	larger.set(array);
	return larger;
}

/** The first index from `low` on at which `isLate` is true; it must stay true from there. */
export function firstIndex(low, high, isLate) {
	while (low < high) {
		const middle = (low + high) >> 1;
		if (isLate(middle)) high = middle;
		else low = middle + 1;
	}
	return low;
}
