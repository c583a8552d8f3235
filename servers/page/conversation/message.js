/*
 * One message on the page. A question is its text; an answer grows, delta by delta:
 *
 *     {thinking: "A greeting…"}  ->  <details class="thinking">, open while it thinks
 *     {text: "**你好**"}         ->  <div class="answer">, as Markdown
 *     {calls: [{name: "f", …}]}  ->  <details class="tool">, a card for each call (tools.js)
 *     the end                    ->  <p class="ending"> says why, unless it was a normal stop
 *
 * Text is shown once a frame, however many tokens have arrived.
 */

import { find, make } from "../dom.js";
import { endingOf, failureOf, showEnding, stopped } from "./endings.js";
import { levelHeadings } from "./headings.js";
import { streamAnswer } from "../openai.js";
import { markdownView } from "../markdown/render.js";
import { toolCards } from "./tools.js";
import { versionsOf } from "./turns.js";
import { say, words } from "../words/words.js";

const FEW = 5; // tokens; for fewer, no rate is shown
const SILENCE = 5; // seconds without a token until the reader is told

export function showQuestion(conversation, { content }) {
	const copyButton = make("button", { onclick: () => copy(copyButton, content) }, words.copy);
	const edit = make("button", "edit", words.edit);
	const question = make("p", "question", content);
	const actions = make("footer", {}, make("span", "actions", copyButton, edit));
	const message = make("article", { ariaLabel: words.you }, question, actions);
	message.dataset.role = "user";
	conversation.append(message);
	return message;
}

/** Shows ‹ 1/2 › if there are other versions of the conversation from this message on. */
export function showVersions(element, message) {
	find(".versions", element)?.remove();
	const { at, count } = versionsOf(message);
	if (count < 2) return;
	const step = (label, sign, by, isEnd) => {
		const button = make("button", { ariaLabel: label, disabled: isEnd }, sign);
		button.dataset.step = by;
		return button;
	};
	const place = make("span", { ariaLabel: say("version", at, count), role: "img" }, `${at}/${count}`);
	const earlier = step(words.earlier, "‹", -1, at === 1);
	const later = step(words.later, "›", 1, at === count);
	find(".actions", element).prepend(make("span", "versions", earlier, place, later));
}

/** Shows an answer while it arrives. Resolves to its ending: the kind, a sentence, a lesson's number. */
export async function receiveAnswer(view, asked, signal, tell) {
	tell("start", view.element, view.record);
	view.onpaint = () => tell("painted");
	const ending = await receiveDeltas(view, asked, signal, tell);
	view.end(ending);
	tell("painted");
	tell("ended", ending[1] || words.complete, ending[0]);
	return ending;
}

async function receiveDeltas(view, asked, signal, tell) {
	let reason = "stop";
	const observe = (what, ...values) => {
		if (what === "opened") view.opened(...values);
		tell(what, ...values);
	};
	try {
		for await (const delta of streamAnswer(asked, signal, observe)) {
			view.receive(delta);
			tell("delta", { thinking: delta.thinking, text: delta.text + delta.refusal });
			reason = delta.finishReason || reason;
		}
	} catch (error) {
		return signal.aborted ? stopped() : failureOf(error, asked.server);
	}
	return endingOf(reason, view.record.refused);
}

/** An empty answer: `receive` its deltas, then `end` it. `restore` shows a saved `record` again. */
export function showAnswer(conversation) {
	const message = find("template").content.firstElementChild.cloneNode(true);
	const [details, summary, stats, copyButton] = ["details", "summary", ".stats", ".copy-answer"].map(
		(selector) => find(selector, message),
	);
	const thought = markdownView(find(".thought", message));
	const answer = markdownView(find(".answer", message));
	const record = { role: "assistant", content: "", thinking: "", seconds: 0, stats: "", calls: [], refused: false };
	const tools = toolCards(find(".tools", message), record.calls);
	const asked = performance.now();
	const clock = setInterval(tellSilence, 1000);
	let [firstToken, lastToken, tokens, frame] = [0, 0, 0, 0];
	let requestId = "";
	let userToggled = false;
	let isThinking = false;
	let cursor = null; // the element that ends with the cursor

	message.ariaLabel = words.model;
	find(".again", message).textContent = words.again;
	find(".bytes", message).textContent = words.bytes;
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

	function receive({ thinking, text, refusal, calls }) {
		if (!thinking && !text && !refusal && !calls.length) return;
		lastToken = performance.now();
		delete message.dataset.silent;
		firstToken ||= lastToken;
		tokens += 1;
		addThinking(thinking);
		addText(text);
		if (refusal) setRefused();
		addText(refusal);
		addCalls(calls);
		frame ||= requestAnimationFrame(() => {
			frame = 0;
			const last = (isThinking ? thought : answer).show();
			moveCursor(tools.show() ?? last);
			showStats();
			view.onpaint();
		});
	}

	/** `ending`: see endings.js. */
	function end(ending) {
		cancelAnimationFrame(frame);
		clearInterval(clock);
		endThinking();
		answer.end();
		tools.end();
		levelHeadings(message);
		moveCursor(null);
		showStats();
		showEnding(find(".ending", message), ending);
		copyButton.hidden = !record.content;
		message.dataset.ending = ending[0];
		message.ariaBusy = "false";
	}

	function restore(old) {
		addThinking(old.thinking);
		addText(old.content);
		if (old.calls.length) beginAnswer();
		if (old.refused) setRefused();
		record.calls.push(...old.calls);
		end(old.ending);
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
		beginAnswer();
		record.content += piece;
		answer.append(piece);
	}

	function addCalls(pieces) {
		if (!pieces.length) return;
		beginAnswer();
		tools.receive(pieces);
	}

	/** The model has refused; its text says why. */
	function setRefused() {
		record.refused = true;
		message.toggleAttribute("data-refused", true);
	}

	function beginAnswer() {
		if (!isThinking) return;
		endThinking();
		if (!userToggled) details.open = false;
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
			if (tokens >= FEW && rate < Infinity) facts.unshift(say("rate", Math.round(rate)));
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

	const view = { element: message, record, opened, receive, end, restore, onpaint() {} };
	return view;
}

/** Copies to the clipboard, if that is permitted. */
export async function copy(button, text) {
	const copied = await navigator.clipboard?.writeText(text).then(() => words.copied, () => "");
	button.textContent = copied || words.refused;
	setTimeout(() => (button.textContent = words.copy), 1500);
}
