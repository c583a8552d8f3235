/*
 * One message on the page. A question is its text; an answer grows, delta by delta:
 *
 *     {thinking: "A greeting…"}  ->  <details class="thinking">, open while it thinks
 *     {text: "**你好**"}         ->  <div class="answer">, as Markdown
 *     the end                    ->  <p class="ending"> says why, unless it was a normal stop
 *
 * Text is shown once a frame, however many tokens have arrived.
 */

import { find, make } from "./dom.js";
import { levelHeadings } from "./headings.js";
import { CutOffError, NoReplyError, streamAnswer } from "./openai.js";
import { markdownView } from "./render.js";
import { noReply, say, words } from "./words.js";

const SILENCE = 5; // seconds without a token until the reader is told

export function showQuestion(conversation, question) {
	const message = make("article", { ariaLabel: words.you, dir: "auto" }, question);
	message.dataset.role = "user";
	conversation.append(message);
}

/** Shows an answer while it arrives. Resolves to how it ended: the kind, and a text. */
export async function receiveAnswer(view, asked, signal, tell) {
	tell("start");
	const ending = await receiveDeltas(view, asked, signal, tell);
	view.end(...ending);
	tell("ended", ending[1] || words.complete, ending[0]);
	return ending;
}

async function receiveDeltas(view, asked, signal, tell) {
	let reason = "stop";
	const observe = (what, ...values) => {
		view[what]?.(...values);
		tell(what, ...values);
	};
	try {
		for await (const delta of streamAnswer(asked, signal, observe)) {
			view.receive(delta);
			reason = delta.finishReason || reason;
		}
	} catch (error) {
		if (signal.aborted) return ["stopped", words.stopped];
		if (error instanceof CutOffError) {
			return ["cut", error.seconds ? say("cutSilent", error.seconds) : words.cut];
		}
		const isSilent = error instanceof NoReplyError;
		return ["error", say("error", isSilent ? noReply(asked.server) : error.message)];
	}
	if (reason === "stop") return ["complete", ""];
	if (reason === "length") return ["length", words.length];
	return ["other", say("otherEnd", reason)];
}

/** An empty answer: `receive` its deltas, then `end` it. `restore` shows a saved `record` again. */
export function showAnswer(conversation) {
	const message = find("template").content.firstElementChild.cloneNode(true);
	const [details, summary, stats, copyButton] = ["details", "summary", ".stats", ".copy-answer"].map(
		(selector) => find(selector, message),
	);
	const thought = markdownView(find(".thought", message));
	const answer = markdownView(find(".answer", message));
	const record = { role: "assistant", content: "", thinking: "", seconds: 0, stats: "" };
	const asked = performance.now();
	const clock = setInterval(tellSilence, 1000);
	let [firstToken, lastToken, tokens, frame] = [0, 0, 0, 0];
	let requestId = "";
	let userToggled = false;
	let isThinking = false;
	let cursor = null; // the element that ends with the cursor

	message.ariaLabel = words.model;
	find(".again", message).textContent = words.again;
	copyButton.textContent = words.copy;
	copyButton.onclick = () => copy(copyButton, record.content);
	// `ontoggle` cannot be used, because it is also called when our own code opens this.
	summary.onclick = () => (userToggled = true);
	conversation.append(message);
	moveCursor(find(".answer", message));

	function opened(response) {
		requestId = response.headers.get("X-Request-Id") ?? "–";
		showStats();
	}

	function receive({ thinking, text }) {
		if (!thinking && !text) return;
		lastToken = performance.now();
		delete message.dataset.silent;
		firstToken ||= lastToken;
		tokens += 1;
		addThinking(thinking);
		addText(text);
		frame ||= requestAnimationFrame(() => {
			frame = 0;
			moveCursor((isThinking ? thought : answer).show());
			showStats();
		});
	}

	/** `kind` is "complete", "stopped", …; `wording` is the text for the reader. */
	function end(kind, wording) {
		cancelAnimationFrame(frame);
		clearInterval(clock);
		endThinking();
		answer.end();
		levelHeadings(message);
		moveCursor(null);
		showStats();
		find(".ending", message).textContent = wording;
		copyButton.hidden = !record.content;
		message.dataset.ending = kind;
		message.ariaBusy = "false";
	}

	function restore(old) {
		addThinking(old.thinking);
		addText(old.content);
		end(...(old.ending ?? []));
		summary.textContent = say("thought", old.seconds);
		stats.textContent = old.stats;
	}

	function addThinking(piece) {
		if (!piece) return;
		if (!record.thinking) {
			details.hidden = false;
			details.open = true;
			summary.textContent = words.thinking;
			isThinking = true;
		}
		record.thinking += piece;
		thought.append(piece);
	}

	function addText(piece) {
		if (!piece) return;
		if (!record.content) {
			endThinking();
			if (!userToggled) details.open = false;
		}
		record.content += piece;
		answer.append(piece);
	}

	/** At the answer's first word, or at an end without a word: then the thoughts stay open. */
	function endThinking() {
		if (!isThinking) return;
		isThinking = false;
		record.seconds = (performance.now() - firstToken) / 1000;
		summary.textContent = say("thought", record.seconds);
		thought.end();
	}

	function moveCursor(to) {
		cursor?.toggleAttribute("data-cursor");
		to?.toggleAttribute("data-cursor");
		cursor = to;
	}

	function showStats() {
		const facts = [requestId];
		if (tokens) {
			// n tokens have n - 1 gaps between them; a gap may be 0 seconds long.
			const rate = (tokens - 1) / ((lastToken - firstToken) / 1000);
			if (rate < Infinity) facts.unshift(say("rate", Math.round(rate)));
			facts.unshift(say("firstToken", Math.round(firstToken - asked)), say("tokens", tokens));
		}
		stats.textContent = record.stats = facts.join(" · ");
	}

	function tellSilence() {
		const seconds = Math.round((performance.now() - (lastToken || asked)) / 1000);
		if (seconds < SILENCE) return;
		// Without a head, the request may still be in the browser's queue.
		message.dataset.silent = "";
		stats.textContent = say("silence", seconds) + (requestId ? "" : words.connections);
	}

	return { element: message, record, opened, receive, end, restore };
}

/** Copies to the clipboard, if that is permitted. */
export async function copy(button, text) {
	const copied = await navigator.clipboard?.writeText(text).then(() => words.copied, () => "");
	button.textContent = copied || words.refused;
	setTimeout(() => (button.textContent = words.copy), 1500);
}
