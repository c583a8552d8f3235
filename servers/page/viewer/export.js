/*
 * Saves a recording: as JSON lines, which `workshop xray FILE` reads (protocol/recording.py), or as HAR
 * 1.2, which the developer tools of browsers import:
 *
 *     {"at":503.4,"sender":"server","bytes":"MTkN…","text":"19\r\ndata: …","spans":[…],"read":6,"read_at":503.9}
 */

import { make } from "../dom.js";

const AT_ONCE = 1000; // rows that are written in one go
const BODY = /^(?!head|chunk-|CRLF|last-chunk|trailer|after)/; // labels of bytes of the body

/** The browser draws in between, and answers the reader. */
const pause = () => new Promise((resume) => setTimeout(resume));

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function saveButtons(recording, words, page) {
	const name = () => page?.name() || "recording";
	const save = (text, write, ending) =>
		make("button", { type: "button", textContent: text, ariaLabel: `${words.save} ${text}`, onclick: async () => download(await write(recording, page), `${name()}.${ending}`) });
	return make("div", "save", words.save, save(words.saveLines, jsonLines, "jsonl"), save(words.saveHar, har, "har"));
}

function download(parts, name) {
	const href = URL.createObjectURL(new Blob(parts));
	make("a", { href, download: name }).click();
	URL.revokeObjectURL(href);
}

/** @returns {Promise<string[]>} lines; a long recording is written in several tasks. */
export async function jsonLines(recording, page) {
	const parts = [];
	for (let index = 0; index < recording.length; index += 1) {
		if (index % AT_ONCE === AT_ONCE - 1) await pause();
		const { at, sender, connection, bytes, end, spans } = recording.row(index);
		const line = { at, sender };
		if (connection) line.connection = connection;
		if (!index && recording.url) line.url = recording.url;
		if (bytes.length) Object.assign(line, { bytes: toBase64(bytes), text: decoder.decode(bytes), spans });
		if (end) Object.assign(line, endOf(end));
		const read = page?.readOf(index);
		if (read) Object.assign(line, { read: read.number, read_at: read.at });
		parts.push(`${JSON.stringify(line)}\n`);
	}
	return parts;
}

/** A server says in its own words how a reply ended; a connection ends in one of four ways, or goes on. */
function endOf(end) {
	if (["fin", "reset", "truncated", "silent"].includes(end)) return { end };
	return end === "done" ? { how: end } : { end: end.startsWith("reset") ? "reset" : "fin", how: end };
}

/** @returns {Promise<string[]>} one entry for each response */
export async function har(recording, page) {
	const entries = [];
	const open = new Map(); // connection -> the entry that receives
	const asked = new Map(); // connection -> requests without a response yet
	const began = page?.began() ?? Date.now();
	for (let index = 0; index < recording.length; index += 1) {
		if (index % AT_ONCE === AT_ONCE - 1) await pause();
		const { at, sender, connection, bytes, spans, offset } = recording.row(index);
		if (sender === "client") {
			asked.set(connection, [...(asked.get(connection) ?? []), { at, bytes }]);
			continue;
		}
		for (const [label, start, end] of spans) {
			const own = bytes.slice(start - offset, end - offset);
			let entry = open.get(connection);
			if (label === "head" && (!entry || entry.last !== "head")) {
				const request = asked.get(connection)?.shift() ?? { at, bytes: new Uint8Array() };
				entry = { request, at, head: [], body: [], size: 0, end: at };
				entries.push(entry);
				open.set(connection, entry);
			}
			if (!entry) continue;
			entry.last = label;
			entry.end = at;
			entry.size += own.length;
			if (label === "head") entry.head.push(own);
			else if (BODY.test(label)) entry.body.push(own);
		}
	}
	const log = {
		version: "1.2",
		creator: { name: "streaming workshop", version: "1" },
		entries: entries.map((entry) => entryOf(entry, began, recording.url)),
	};
	return [JSON.stringify({ log })];
}

const textOf = (pieces) => pieces.map((piece) => decoder.decode(piece, { stream: true })).join("") + decoder.decode();

function entryOf({ request, at, head, body, size, end }, began, url) {
	const asked = messageOf(textOf([request.bytes]));
	const answered = messageOf(textOf(head));
	const [method = "GET", target = "/"] = asked.start.split(" ");
	const [version = "HTTP/1.1", status = "0", ...reason] = answered.start.split(" ");
	const type = answered.headers.find(({ name }) => /^content-type$/i.test(name))?.value ?? "";
	const host = asked.headers.find(({ name }) => /^host$/i.test(name))?.value ?? "localhost";
	const text = textOf(body);
	const bodySize = body.reduce((sum, { length }) => sum + length, 0);
	return {
		startedDateTime: new Date(began + request.at).toISOString(),
		time: end - request.at,
		request: {
			method, url: url || `http://${host}${target}`, httpVersion: "HTTP/1.1", cookies: [], headers: asked.headers,
			queryString: [], headersSize: -1, bodySize: asked.body.length,
			...(asked.body && { postData: { mimeType: "application/json", text: asked.body } }),
		},
		response: {
			status: Number(status) || 0, statusText: reason.join(" "), httpVersion: version, cookies: [], headers: answered.headers,
			content: { size: bodySize, mimeType: type, text }, redirectURL: "", headersSize: -1, bodySize: size,
		},
		cache: {},
		timings: { send: 0, wait: at - request.at, receive: end - at },
	};
}

/** The start line, the fields and the body of a message that was parsed before. */
function messageOf(text) {
	const [head, ...body] = text.split("\r\n\r\n");
	const [start, ...fields] = head.split("\r\n");
	const headers = fields.filter(Boolean).map((field) => {
		const colon = field.indexOf(":");
		return { name: field.slice(0, colon), value: field.slice(colon + 1).trim() };
	});
	return { start, headers, body: body.join("\r\n\r\n") };
}

export function toBase64(bytes) {
	let letters = "";
	for (let place = 0; place < bytes.length; place += 8192) {
		letters += String.fromCharCode(...bytes.subarray(place, place + 8192));
	}
	return btoa(letters);
}
