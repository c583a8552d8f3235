/*
 * An event stream is UTF-8 text in lines. This file turns its bytes into events, however
 * they were split on the way. The rules are WHATWG HTML §9.2, "Server-sent events":
 *
 *     : a comment           ignored
 *     event: weather        the type; without this line it is "message"
 *     data: {"sky":"晴"}    one line of data; more of them are joined by LF
 *                           a blank line dispatches the event
 *
 * An event is {event, data, id}. What it does not do: reconnect, or send Last-Event-ID.
 */

const LINE_END = /\r\n|\n|\r/;
const AT_ONCE = 64; // most events handled between two frames: almost 4,000 a second
const PIECE = 1 << 14; // most bytes parsed at once; a read may have half a megabyte

/** An event exceeded the limit; `decoded` has the events before it. */
export class EventStreamError extends Error {
	constructor(limit, decoded) {
		super(`event longer than ${limit} characters`);
		this.decoded = decoded;
	}
}

export class EventStreamParser {
	// The decoder keeps an incomplete character until its other bytes come. The BOM is dropped below.
	#decoder = new TextDecoder("utf-8", { ignoreBOM: true });
	#atStart = true;
	#afterCarriageReturn = false;
	#line = "";
	#data = "";
	#eventType = "";
	#idBuffer;
	#maxEventSize;

	/** `maxEventSize`: limit on a line, and on an event's data, in characters. */
	constructor(lastEventId = "", maxEventSize = 2 ** 24) {
		this.lastEventId = this.#idBuffer = lastEventId;
		/** Milliseconds; null until a `retry` line sets it. */
		this.reconnectionTime = null;
		this.#maxEventSize = maxEventSize;
	}

	/**
	 * Takes bytes as read, or text; returns the events that they completed. The end of the stream
	 * needs no call: "Any pending data must be discarded".
	 *
	 * @throws {EventStreamError} now and at every later call
	 */
	receiveData(data) {
		const text = typeof data === "string" ? data : this.#decoder.decode(data, { stream: true });
		const lines = this.#splitLines(text);
		const unfinished = lines.pop();
		const events = [];
		for (const line of lines) {
			this.#extendLine(line, events);
			this.#receiveLine(this.#line, events);
			this.#line = "";
		}
		this.#extendLine(unfinished, events);
		return events;
	}

	#splitLines(text) {
		// An empty read, or half a character, does not start the stream.
		if (text === "") return [""];
		// "strips one leading UTF-8 Byte Order Mark"
		if (this.#atStart && text.startsWith("\uFEFF")) text = text.slice(1);
		this.#atStart = false;
		// The CR at the end of the last piece ended the line. This LF belongs to that line end.
		if (this.#afterCarriageReturn && text.startsWith("\n")) text = text.slice(1);
		this.#afterCarriageReturn = text.endsWith("\r");
		return text.split(LINE_END);
	}

	/** Never reads a byte twice: a long line in small pieces takes linear time. */
	#extendLine(piece, events) {
		this.#line += piece;
		if (Math.max(this.#line.length, this.#data.length) > this.#maxEventSize) {
			throw new EventStreamError(this.#maxEventSize, events);
		}
	}

	#receiveLine(line, events) {
		if (line === "") return this.#dispatch(events);
		const colon = line.indexOf(":");
		if (colon === 0) return; // a comment
		if (colon === -1) return this.#receiveField(line, "");
		// "If value starts with a U+0020 SPACE character, remove it from value." Only one.
		const start = line[colon + 1] === " " ? colon + 2 : colon + 1;
		this.#receiveField(line.slice(0, colon), line.slice(start));
	}

	// "Field names must be compared literally, with no case folding performed."
	#receiveField(name, value) {
		switch (name) {
			case "event":
				this.#eventType = value;
				break;
			case "data":
				// "Append the field value to the data buffer, then [...] a single [LF]"
				this.#data += value + "\n";
				break;
			case "id":
				// "If the field value does not contain U+0000 NULL"
				if (!value.includes("\0")) this.#idBuffer = value;
				break;
			case "retry":
				// "If the field value consists of only ASCII digits"
				if (/^[0-9]+$/.test(value)) this.reconnectionTime = Number(value);
				break;
		}
	}

	#dispatch(events) {
		// "The buffer does not get reset": an id holds for later events.
		this.lastEventId = this.#idBuffer;
		// "If the data buffer is an empty string, [...] return"; one empty `data` line makes it "\n".
		if (this.#data !== "") {
			events.push({
				event: this.#eventType || "message",
				data: this.#data.slice(0, -1), // without the last LF
				id: this.lastEventId,
			});
		}
		this.#data = "";
		this.#eventType = "";
	}
}

/**
 * Yields each event as soon as it is complete; `tell` gets each read, and its time. After AT_ONCE events
 * it lets the browser draw and handle input. A read may have thousands of events, and the browser
 * delivers all waiting reads in one task.
 */
export async function* readEvents(body, tell = () => {}) {
	const parser = new EventStreamParser();
	const reader = body.getReader();
	let handled = 0;
	try {
		for (;;) {
			const { done, value } = await reader.read();
			if (done) return tell("closed");
			tell("received", value, performance.now());
			for (let at = 0; at < value.length; at += PIECE) {
				for (const event of parser.receiveData(value.subarray(at, at + PIECE))) {
					if (handled === AT_ONCE) {
						await nextFrame();
						handled = 0;
					}
					handled += 1;
					yield event;
				}
			}
		}
	} catch (error) {
		if (error instanceof EventStreamError) yield* error.decoded;
		throw error;
	} finally {
		// If the caller stops early, this closes the connection.
		reader.cancel().catch(() => {});
	}
}

/**
 * Resolves in a new task, after the browser has drawn. A hidden page is never drawn: there it resolves
 * in the next task. (A timer would take a second there.)
 */
export function nextFrame() {
	const { port1, port2 } = new MessageChannel();
	return new Promise((resume) => {
		const isSeen = globalThis.document?.hidden === false;
		const frame = isSeen && requestAnimationFrame(proceed);
		if (isSeen) document.addEventListener("visibilitychange", proceed);
		else proceed();

		function proceed() {
			if (isSeen) {
				cancelAnimationFrame(frame);
				document.removeEventListener("visibilitychange", proceed);
			}
			port2.postMessage(0);
		}
		port1.onmessage = () => {
			port1.close();
			resume();
		};
	});
}
