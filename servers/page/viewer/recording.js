/*
 * A recording: what passed through a connection, read by read (or write by write), with a label for
 * each byte. It is made at once from a file, or grows while the answer runs:
 *
 *     add({at: 503.4, sender: "server", offset: 155, bytes: "MTkN…", …}) -> a row
 *     name([["chunk-size", 155, 157, 1, 0, 0], ["CRLF", 157, 159, 1, 0, 0], …])
 *
 * The labels are those of protocol/anatomy.py, which parsed the bytes; nothing is parsed here. A line
 * of an event stream is labelled when it has ended, so a label may be for bytes of earlier rows, and
 * may come after the label of later bytes: then the later one waits, and labels stay in order.
 *
 * The bytes are also divided into lines, one for each token (lines.js).
 */

import { columns, firstIndex, grown } from "./columns.js";
import { lineIndex } from "./lines.js";

const MAX_SIZE = 32 << 20; // bytes kept of one recording

/** State between two spans: the last label, and the number of the last event. */
export const START = { label: "", event: 0 };

export function pass(before, [label, , , , event]) {
	return { label: label || before.label, event: event || before.event };
}

/** Times are milliseconds since the recording began. */
export function newRecording({ maxSize = MAX_SIZE, exchanges = [] } = {}) {
	const rows = columns({
		at: Float64Array, sender: Uint8Array, connection: Uint32Array, offset: Float64Array,
		place: Uint32Array, size: Uint32Array, end: Uint8Array, body: Float64Array,
		span: Uint32Array, spans: Uint32Array, label: Uint8Array, event: Uint32Array,
	});
	const spans = columns({
		label: Uint8Array, start: Float64Array, end: Float64Array,
		chunk: Uint32Array, event: Uint32Array, token: Uint32Array,
	});
	const labels = [""];
	const ends = [""];
	const streams = new Map(); // by sender and connection
	const lines = lineIndex();
	let bytes = new Uint8Array(1 << 12);
	let size = 0;

	const recording = {
		exchanges,
		lines: lines.table,
		tokens: lines.tokens,
		sizes: new Map(), // bytes with each label
		totals: null, // the server's own: sends, chunks, events, tokens, size, body, text
		missing: { sends: 0, bytes: 0 }, // what a limit took
		isOver: false, // no more rows will come
		add, name, row, line, lineOfRow, lineOfSpan,
		get length() { return rows.length; },
		get size() { return size; },
		at: (index) => rows.at[index],
		isServer: (index) => rows.sender[index] === 1,
		/** Whether the server sent a piece of a body with it. */
		isBody: (index) => rows.sender[index] === 1 && rows.size[index] > 0 && labels[lastLabel(index)] !== "head",
		sizeOf: (index) => rows.size[index],
		bodyOf: (index) => rows.body[index],
		/** Changes if the row has to be drawn again. */
		versionOf: (index) => rows.spans[index] + waiting(index).length,
	};
	return recording;

	/**
	 * Adds a row. With `spans`, its bytes have their labels already; otherwise `name` brings them.
	 * Returns whether there was room for it.
	 */
	function add({ at, sender, connection = 0, offset = 0, bytes: own = "", end = "", body = 0, spans: named }) {
		if (typeof own === "string") own = fromBase64(own);
		// After a gap, labels would not fit to their bytes.
		if (own.length && (recording.missing.sends || size + own.length > maxSize)) {
			recording.missing.sends += 1;
			recording.missing.bytes += own.length;
			return false;
		}
		if (size + own.length > bytes.length) bytes = grown(bytes, 2 * (size + own.length));
		bytes.set(own, size);
		const key = `${sender} ${connection}`;
		if (!streams.has(key)) streams.set(key, { rows: [], next: 0, named: 0, later: [], before: START });
		const stream = streams.get(key);
		const index = rows.push({
			at, connection, offset, body, place: size, size: own.length, end: idOf(ends, end),
			sender: sender === "server" ? 1 : 0, span: spans.length,
		});
		size += own.length;
		if (named) {
			// A row with all its labels: no other row of the stream waits for labels.
			Object.assign(stream, { rows: [index], next: 0 });
			for (const span of named) commit(stream, span);
			if (!named.length) lines.addRow(index, spans.length);
		} else {
			stream.rows.push(index);
		}
		return true;
	}

	/** Labels bytes of the server's rows. @param {Array} named [label, start, end, chunk, event, token] */
	function name(named) {
		const stream = streams.get("server 0");
		if (!stream) return;
		for (const span of named) {
			if (span[1] > stream.named) stream.later.push(span);
			else commit(stream, span);
		}
		stream.later.sort((one, other) => one[1] - other[1]);
		while (stream.later[0]?.[1] <= stream.named) commit(stream, stream.later.shift());
	}

	/** Keeps a span, in one piece for each row that it is in. */
	function commit(stream, [label, start, end, chunk = 0, event = 0, token = 0]) {
		stream.named = end;
		const id = idOf(labels, label);
		while (start < end) {
			let row = stream.rows[stream.next];
			while (row !== undefined && start >= rows.offset[row] + rows.size[row]) {
				row = stream.rows[(stream.next += 1)];
			}
			if (row === undefined) return; // there was no room for these bytes
			const stop = Math.min(end, rows.offset[row] + rows.size[row]);
			if (!rows.spans[row]) {
				rows.span[row] = spans.length;
				rows.label[row] = labels.indexOf(stream.before.label);
				rows.event[row] = stream.before.event;
			}
			lines.addSpan(row, spans.length, label, event, token, rows.connection[row]);
			spans.push({ label: id, start, end: stop, chunk, event, token });
			rows.spans[row] += 1;
			recording.sizes.set(label, (recording.sizes.get(label) ?? 0) + stop - start);
			stream.before = pass(stream.before, [label, , , , event]);
			start = stop;
		}
	}

	function lastLabel(index) {
		const count = rows.spans[index];
		return count ? spans.label[rows.span[index] + count - 1] : 0;
	}

	/** Labels that wait for those of bytes before them. */
	function waiting(index) {
		if (rows.sender[index] !== 1 || rows.connection[index]) return [];
		const [first, last] = [rows.offset[index], rows.offset[index] + rows.size[index]];
		return (streams.get("server 0")?.later ?? [])
			.filter(([, start, end]) => start < last && first < end)
			.map(([label, start, end, ...numbers]) => [label, Math.max(start, first), Math.min(end, last), ...numbers]);
	}

	function spanAt(index) {
		const { label, start, end, chunk, event, token } = spans;
		return [labels[label[index]], start[index], end[index], chunk[index], event[index], token[index]];
	}

	/** A row with its bytes and spans. `before` is the state before its first span (`pass`). */
	function row(index) {
		const own = Array.from({ length: rows.spans[index] }, (_, number) => spanAt(rows.span[index] + number));
		return {
			index,
			span: rows.span[index], // the number of its first span
			at: rows.at[index],
			sender: rows.sender[index] ? "server" : "client",
			connection: rows.connection[index],
			offset: rows.offset[index],
			bytes: bytes.subarray(rows.place[index], rows.place[index] + rows.size[index]),
			end: ends[rows.end[index]],
			spans: [...own, ...waiting(index)],
			before: { label: labels[rows.label[index]], event: rows.event[index] },
		};
	}

	/** A line: its row, and its parts, each {label, bytes, chunk, event, token}. */
	function line(index) {
		const { table } = lines;
		const [first, end] = [table.span[index], index + 1 < table.length ? table.span[index + 1] : spans.length];
		let at = table.row[index];
		const parts = [];
		for (let number = first; number < end; number += 1) {
			while (number >= rows.span[at] + rows.spans[at]) at += 1;
			const place = rows.place[at] - rows.offset[at];
			const own = bytes.subarray(place + spans.start[number], place + spans.end[number]);
			const [label, , , chunk, event, token] = spanAt(number);
			parts.push({ label, bytes: own, chunk, event, token });
		}
		return { index, row: table.row[index], lastRow: at, token: table.token[index], parts };
	}

	/** The first line that begins in this row or after it. */
	function lineOfRow(index) {
		return firstIndex(0, lines.table.length, (number) => lines.table.row[number] >= index);
	}

	/** The line of a span of the recording. */
	function lineOfSpan(index) {
		return firstIndex(0, lines.table.length, (number) => lines.table.span[number] > index) - 1;
	}
}

/** The recording of a file, in the form of workshop/xray/recordings/page.py. */
export function readRecording({ reads, exchanges }) {
	const recording = newRecording({ exchanges, maxSize: Infinity });
	for (const read of reads) recording.add(read);
	recording.isOver = true;
	return recording;
}

function idOf(names, name) {
	const id = names.indexOf(name);
	return id < 0 ? names.push(name) - 1 : id;
}

function fromBase64(text) {
	const letters = atob(text);
	const bytes = new Uint8Array(letters.length);
	for (let index = 0; index < letters.length; index += 1) bytes[index] = letters.charCodeAt(index);
	return bytes;
}
