/*
 * The chat page: the effects of the reader's keys and clicks.
 *
 *     Enter -> conversation/conversations.js: ask() -> the answer's text, and the wire pane
 *
 * The page is complete before a question is asked. All that an answer needs is loaded when the
 * reader begins to type, or opens an old conversation.
 */

import { find } from "./dom.js";
import { placePopovers } from "./layout.js";
import { wirePane } from "./pane.js";
import { followText } from "./scroll.js";
import { choose, lend } from "./settings.js";
import * as store from "./store.js";
import { showStrip } from "./strip.js";
import { noReply, page, words } from "./words/words.js";

const conversation = find("#conversation");
const prompt = find("#prompt");
const [send, halt] = [find("#send"), find("#halt")];

/** With which settings the four cards ask. They hold for the conversation that a card begins. */
const CARDS = {
	hello: { model: "sim-1", pace: "", fault: "" },
	break: { model: "echo", pace: "", fault: "rst@5" },
	markdown: { model: "torture", pace: "fast-api", fault: "" },
	slow: { model: "echo", pace: "slow", fault: "" },
};

const pane = wirePane();
const follow = followText(conversation, find("#pill"));
let seen = {}; // of the body of the running answer

let talking = null;
let talk = null;

/** Loads the conversations once. Resolves to what they can do, or to null if there is no reply. */
function load() {
	talking ??= import("./conversation/conversations.js").then(begin, () => (talking = null));
	return talking;
}

function begin({ conversations }) {
	find("#trouble").hidden = true;
	talk = conversations({ tell, follow, setRunning, setEmpty, answered, restored });
	return talk;
}

function tellTrouble() {
	find("#trouble").textContent = noReply("");
	find("#trouble").hidden = false;
}

function tell(what, ...values) {
	if (what === "start" || what === "clear") seen = { reads: 0, bytes: 0, isClosed: false };
	if (what === "received") seen = { ...seen, reads: seen.reads + 1, bytes: seen.bytes + values[0].length };
	if (what === "closed") seen.isClosed = true;
	if (what === "clear") lend({}); // another conversation is open
	pane.tell(what, ...values);
}

function setRunning(isRunning, news) {
	// Move the focus before the focused button disappears.
	if ([send, halt].includes(document.activeElement)) prompt.focus();
	send.hidden = isRunning;
	halt.hidden = !isRunning;
	// Do not announce single tokens, because a screen reader would never stop talking.
	find("#announcer").textContent = news;
}

function setEmpty(isEmpty) {
	delete document.documentElement.dataset.chat; // early.js
	find("#intro").hidden = !isEmpty;
}

/** An answer has ended: one that had a fault gets its card. */
function answered(view, { fault }, [kind, wording]) {
	if (fault) showCard(view.element, fault, { ...seen, kind, wording });
}

function restored(view, { fault, ending: [kind, wording] }) {
	if (fault) showCard(view.element, fault, { kind, wording });
}

async function showCard(article, fault, facts) {
	const { showFaultCard } = await import("./faults/card.js");
	await showFaultCard(article, fault, facts, () => {
		choose({ fault: "" });
		prompt.focus();
		talk.askAgain();
	});
}

// ---- Keys and clicks

/** `lent`: the settings of a card. */
async function ask(question, lent) {
	await load();
	if (!talk) return tellTrouble();
	if (talk.isRunning()) return;
	if (lent) lend({ server: "", ...lent });
	if (prompt.value.trim() === question) prompt.value = "";
	talk.ask(question);
}

find("#composer").onsubmit = (event) => {
	event.preventDefault();
	const question = prompt.value.trim();
	if (!talk?.isRunning() && question) ask(question);
};

find(".cards").onclick = ({ target }) => {
	const name = target.closest("button")?.dataset.card;
	if (!name) return;
	ask(words.questions[name], CARDS[name]);
};

window.onkeydown = async (event) => {
	const { key, target, shiftKey } = event;
	// Enter and Esc belong to the input method now. In Safari, only key code 229 shows this.
	if (event.isComposing || event.keyCode === 229) return;
	if (key === "Enter" && target === prompt && !shiftKey) find("#composer").requestSubmit();
	else if (key === "Escape" && talk?.isRunning() && !find(":popover-open")) talk.stop();
	else if (key === "/" && !target.matches("input, textarea, select")) prompt.focus();
	else if (event.altKey && event.code === "KeyN") openNew();
	else if (event.altKey && event.code === "KeyW") pane.toggle();
	else return;
	event.preventDefault();
};

const openNew = async () => ((await load()) ? talk.openNew() : tellTrouble());

prompt.oninput = load;
halt.onclick = () => talk.stop();
find("#new").onclick = openNew;
find("#conversation").addEventListener("click", ({ target }) => target.matches(".bytes") && pane.toggle());
find("#history").ontoggle = async () => ((await load()) ? talk.showHistory() : tellTrouble());
// ---- The reader's language

if (page.lead) document.documentElement.lang = "zh-CN";
for (const element of document.querySelectorAll("[data-word]")) {
	element.textContent = page[element.dataset.word] ?? element.textContent;
}
for (const element of document.querySelectorAll("[data-label]")) {
	element.ariaLabel = page[element.dataset.label] ?? element.ariaLabel;
}
prompt.placeholder = find("[for=prompt]").textContent;
showStrip();
placePopovers();
// Only on devices where focus does not open a keyboard over the page. The page does not scroll.
if (matchMedia("(hover: hover)").matches) prompt.focus({ preventScroll: true });
for (const button of document.querySelectorAll("#send, .cards button")) button.disabled = false;
// The address names a conversation, or something was typed and not sent.
if (location.search || store.load("drafts")) {
	if (!(await load())) {
		setEmpty(true);
		tellTrouble();
	}
}
