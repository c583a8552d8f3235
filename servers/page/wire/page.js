/*
 * What the page knows of an answer, for the viewer: when its reads came, and when a token was painted.
 * The notes are those of log.js; a row of the recording is a write of the server.
 */

import { firstIndex } from "../viewer/columns.js";

export function pageOf(answer, recording) {
	const { reads, tokens, paints, askedAt } = answer;

	/** The read that has brought this much of the body, or null. */
	function readAfter(size) {
		const index = firstIndex(0, reads.end.length, (number) => reads.end[number] >= size);
		return index < reads.end.length ? { number: index + 1, at: reads.at[index] - askedAt } : null;
	}

	return {
		reads: () => reads.at.length,
		readAt: (index) => reads.at[index] - askedAt,
		/** The last read that brought bytes of this row; if it is known, the one that brought its token. */
		readOf(row, token = 0) {
			const number = tokens.read[token - 1];
			if (number) return { number, at: reads.at[number - 1] - askedAt };
			const size = recording.bodyOf(row);
			// A row of framing alone adds nothing to the body, so no read can be known as its own.
			return row && size > recording.bodyOf(row - 1) ? readAfter(size) : null;
		},
		/** Milliseconds since the request, or 0. */
		paintedAt(token) {
			const index = firstIndex(0, paints.at.length, (number) => paints.tokens[number] >= token);
			return index < paints.at.length ? paints.at[index] - askedAt : 0;
		},
		name: () => new URL(answer.recording).pathname.slice("/wire/".length),
		/** When the request was made, in milliseconds since 1970. */
		began: () => performance.timeOrigin + askedAt,
	};
}

/** The request, as far as the page knows it: the browser adds fields of its own. */
export function requestOf({ url, init }) {
	const { pathname, host } = new URL(url);
	const encoder = new TextEncoder();
	const fields = { Host: host, ...init.headers };
	if (init.body) fields["Content-Length"] = encoder.encode(init.body).length;
	const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
	return encoder.encode(`${init.method ?? "GET"} ${pathname} HTTP/1.1\r\n${lines.join("")}\r\n${init.body ?? ""}`);
}
