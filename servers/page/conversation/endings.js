/*
 * How an answer ended, for a reader who has never seen a wire: the kind, a sentence, and the number
 * of the lesson that explains it.
 *
 *     finish_reason "stop"                   ["complete", "", 0]
 *     the connection broke                   ["cut", "Cut off: the connection broke before …", 3]
 *     HTTP 429 in place of the answer        ["error", "The server is busy: …", 6]
 */

import { lessonHref } from "../course.js";
import { make } from "../dom.js";
import { CutOffError, NoReplyError, ServerError } from "../openai.js";
import { noReply, say, words } from "../words/words.js";

const MAX_ERROR = 300; // characters of a server's message

const CUTS = { broken: ["broken", 3], unfinished: ["unfinished", 5], silent: ["silent", 9] };
const REASONS = { length: "length", content_filter: "filtered", tool_calls: "calling", function_call: "calling" };

/** @returns {[string, string, number]} of an answer with this finish_reason; `refused`: it is a refusal */
export function endingOf(reason, refused) {
	if (refused) return ["other", words.refusal, 5];
	if (reason === "stop") return ["complete", "", 0];
	const word = REASONS[reason];
	const kind = reason === "length" ? "length" : "other";
	return [kind, word ? words[word] : say("otherEnd", reason), 5];
}

/** @returns {[string, string, number]} of an answer that failed */
export function failureOf(error, server) {
	if (error instanceof CutOffError) {
		const [word, lesson] = CUTS[error.how];
		return ["cut", say(word, error.seconds), lesson];
	}
	if (error instanceof NoReplyError) return ["error", noReply(server), 3];
	const { message, status } = error;
	const shown = message.length > MAX_ERROR ? `${message.slice(0, MAX_ERROR)}…` : message;
	if (!(error instanceof ServerError)) return ["error", say("notJson", shown), 4];
	if (status === 0) return ["error", say("inside", shown), 6];
	if (status < 300) return ["error", say("foreign", shown), 5];
	if (status === 429 || status === 503) return ["error", say("busy", shown), 6];
	return ["error", say(status < 500 ? "refusedBy" : "failed", shown), 6];
}

/** The answer was stopped by the reader. */
export const stopped = () => ["stopped", words.stopped, 7];
/** The answer runs. This is its ending if the page is closed now. */
export const left = () => ["left", words.left, 7];

/** Writes an ending into an element. */
export function showEnding(element, [, sentence, lesson]) {
	element.textContent = sentence ?? "";
	const href = lesson > 0 && lessonHref(lesson);
	if (href && sentence) element.append(" ", make("a", { href }, say("lesson", lesson)));
}
