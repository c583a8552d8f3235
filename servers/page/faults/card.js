/*
 * The card under an answer that had a fault: what the server did, what this browser made of it, how
 * other clients ended when they were measured, and the lesson.
 */

import { lessonHref } from "../course.js";
import { find, make } from "../dom.js";
import { taughtFaults } from "./faults.js";
import { codes } from "../menus.js";
import { say, words } from "../words/words.js";

// The lesson that explains the faults of a group.
const LESSONS = { cut: 3, lie: 5, stall: 6, malformed: 4, status: 5, legal: 4 };

/**
 * @param {HTMLElement} article the answer's
 * @param {string} spec the fault that was asked for, such as "rst@5"
 * @param {object} seen {kind, wording} of the ending, {reads, bytes, isClosed} of the body; of a body
 *     that was read before a reload nothing is known
 * @param {Function} heal asks again without the fault
 */
export async function showFaultCard(article, spec, seen, heal) {
	const [name, position] = spec.split("@");
	const fault = (await taughtFaults().catch(() => [])).find((each) => each.name === name);
	if (!fault) return;
	const { clients, description, group, lesson, position: usual } = fault;
	const at = usual && say("atPlace", Number(position) || usual.number);
	const isReset = name.startsWith("rst") && seen.kind !== "complete";
	const facts = make("dl");
	const tell = (who, ...what) => facts.append(make("dt", {}, who), make("dd", {}, ...what));
	tell(words.theServer, ...codes(description), at ? words.space + at : "");
	tell(words.thisBrowser, browserSays(seen), isReset ? words.space + words.resetLoses : "");
	for (const [client, outcome] of Object.entries(clients)) tell(client, ...codes(outcomeOf(outcome)));
	const note = Object.keys(clients).length ? [make("p", "measured", words.measured)] : [];
	const href = lessonHref(LESSONS[group]);
	const isLinked = find(".ending a", article)?.getAttribute("href") === href;
	const link = make("a", { href }, say("lesson", LESSONS[group]));
	const taught = make("p", "lesson", make("b", {}, words.taught), " ", ...codes(lesson));
	if (href && !isLinked) taught.append(" ", link);
	const card = make("section", { className: "card", ariaLabel: say("cardTitle", name) });
	card.append(make("h2", {}, say("cardTitle", name)), facts, ...note, taught);
	card.append(make("button", { className: "heal", onclick: heal }, words.healAgain));
	find(".card", article)?.remove();
	find("footer", article).before(card);
}

function browserSays({ kind, wording, reads, bytes, isClosed }) {
	const came = reads ? say("cameBytes", bytes, reads) + words.space : "";
	if (kind === "complete") return came + words.browserComplete;
	if (kind === "stopped") return came + words.browserStopped;
	if (kind === "cut") return came + (isClosed ? words.browserClosed : words.browserCut);
	return came + say("browserError", wording);
}

/** How a client ended. What curl's exit code means is said, because few know them by heart. */
function outcomeOf(outcome) {
	const code = /exit code (\d+)/.exec(outcome)?.[1];
	if (code) return say("exit", code, words.exits[code]);
	return words.outcomes[outcome] ?? say("raises", /^\w*/.exec(outcome)[0]);
}
