/*
 * Divides a recording into lines, one for each token: the chunk's size, the event, its JSON, the text.
 *
 *     chunk-size CRLF | field-name : space json token json end-of-line blank-line | CRLF     one line
 *
 * A line is one event with the framing around it, or a head, a comment, the last chunk, or bytes that
 * cannot be read. If a chunk ends inside an event, the line has both chunks. If a chunk holds three
 * events, it has three lines.
 */

import { columns } from "./columns.js";

const FRAMING = new Set(["chunk-size", "chunk-ext", "CRLF"]);

/**
 * `table`: for each line, the row and the span that it begins with, and the number of its token.
 * `tokens`: the lines that have a token.
 */
export function lineIndex() {
	const table = columns({ row: Uint32Array, span: Uint32Array, token: Uint32Array });
	const tokens = columns({ line: Uint32Array });
	// The last line: what it has beside framing, its event, whether that has ended, and its connection.
	let [content, event, isOver, connection, lastRow] = ["", 0, true, 0, -1];

	function begin(row, span) {
		table.push({ row, span });
		[content, event, isOver] = ["", 0, false];
	}

	/** A row without labels. */
	function addRow(row, span) {
		begin(row, span);
		isOver = true;
		content = "row";
	}

	function addSpan(row, span, label, number, token, from) {
		const kind = kindOf(label, number);
		const isNewRow = row !== lastRow;
		const isOther = from !== connection && isNewRow;
		if (!table.length || isOther || begins(kind, label, number, isNewRow)) begin(row, span);
		[connection, lastRow] = [from, row];
		if (kind) [content, event] = [kind, number];
		if (label === "blank-line" || label === "last-chunk") isOver = true;
		const line = table.length - 1;
		if (!token || table.token[line]) return;
		table.token[line] = token;
		tokens.push({ line });
	}

	function begins(kind, label, number, isNewRow) {
		if (content === "row") return true;
		if (!kind) return label === "chunk-size" && content !== "" && (isOver || content !== "event");
		if (content === "") return false; // only framing so far: it is the framing of this
		if (kind === "event") return number !== event;
		if (kind === "end" || kind === "rest") return content !== kind || (kind === "rest" && isNewRow);
		return content !== kind || label === "comment";
	}

	return { table, tokens, addRow, addSpan };
}

/** "" for framing, which belongs to what it is around. */
function kindOf(label, event) {
	if (FRAMING.has(label)) return "";
	if (event) return "event";
	if (label === "head") return "head";
	if (label === "last-chunk" || label === "trailer") return "end";
	return /comment|line|BOM|field|:|space/.test(label) ? "comment" : "rest";
}
