/*
 * GitHub's tables (GFM §4.10), row by row:
 *
 *     | a \| b | c |    ->    row > cell "a | b", cell "c"
 *
 * A row is read as its text arrives, because it may be long.
 */

import { block } from "./blocks.js";
import { trimmed } from "./line.js";

const DELIMITERS = /^\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?$/;

/** The alignment of each column, if this is a row of dashes; null for any other text. */
export function alignmentOf(text) {
	if (!DELIMITERS.test(text)) return null;
	const dashes = text.match(/:?-+:?/g);
	return dashes.map((cell) => (!cell.endsWith(":") ? "" : cell[0] === ":" ? "center" : "end"));
}

/** Its cells are filled when their text comes. A head has as many columns as it has cells. */
export function newRow(align, columns = align.length) {
	return block("row", { align, columns, isHead: columns === Infinity, isStarted: false, rest: "" });
}

/** `newText()` is the state of a cell's text; `write(cell, text)` adds to it, `close(cell)` ends it. */
export function rowWriter(newText, write, close) {
	/** Adds text of the same line, split anywhere. */
	function writeRow(row, text) {
		const source = row.rest + text;
		const tokens = source.match(/\\[^]|\||[^\\|]+/g) ?? [];
		for (const token of tokens) writeCell(row, token);
		row.rest = source.slice(tokens.join("").length); // half an escape
	}

	function writeCell(row, token) {
		let cell = row.children.at(-1);
		if (!trimmed(token) && !cell?.isOpen) return;
		const isOuter = !row.isStarted && token === "|";
		row.isStarted = true;
		if (isOuter) return;
		const text = token === "|" ? "" : token.replace("\\|", "|");
		if (cell?.isOpen) write(cell, text);
		else {
			// "If there are greater, the excess is ignored."
			if (row.children.length === row.columns) return;
			cell = addCell(row);
			write(cell, text.slice(text.search(/[^ \t]|$/)));
		}
		if (token === "|") close(cell);
	}

	function addCell(row) {
		const align = row.align[row.children.length] ?? "";
		const cell = block("cell", { isHead: row.isHead, align, text: newText(), source: "" });
		row.children.push(cell);
		return cell;
	}

	/** "If there are a number of cells fewer […], empty cells are inserted." */
	function finishRow(row) {
		if (row.rest) writeCell(row, row.rest);
		const last = row.children.at(-1);
		if (last?.isOpen) close(last);
		while (row.columns < Infinity && row.children.length < row.columns) close(addCell(row));
	}

	return { writeRow, finishRow };
}
