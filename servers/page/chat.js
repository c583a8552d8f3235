/*
 * The chat page: the effects of the reader's keys and clicks.
 *
 *     Enter -> conversations.js: ask() -> the answer's text, and the wire pane
 */

import { conversations } from "./conversations.js";
import { find } from "./dom.js";
import { followText } from "./scroll.js";
import { wireLog } from "./wire-log.js";
import { page } from "./words.js";

const conversation = find("#conversation");
const prompt = find("#prompt");
const [send, halt] = [find("#send"), find("#halt")];

// Each answer is noted; the wire pane, which shows the notes, is loaded with the first recorded one.
const log = wireLog();
let pane = null;
function tellWire(what, ...values) {
	log.tell(what, ...values);
	if (what !== "opened" || !values[0].headers.has("X-Wire")) return;
	find("#wire").hidden = false;
	const isWide = matchMedia("(width >= 80rem)").matches; // there is room beside the text
	pane ??= import("./wire.js").then(({ wirePane }) => wirePane(find("#wire"), log).show(isWide));
}

function setRunning(isRunning, news) {
	// Move the focus before the focused button disappears.
	if ([send, halt].includes(document.activeElement)) prompt.focus();
	send.hidden = isRunning;
	halt.hidden = !isRunning;
	// Do not announce single tokens, because a screen reader would never stop talking.
	find("#announcer").textContent = news;
}

const { ask, openNew, stop, isRunning, showHistory } = conversations({
	tell: tellWire,
	follow: followText(conversation, find("#pill")),
	setRunning,
	setEmpty: (isEmpty) => (find("#intro").hidden = !isEmpty),
	answered() {},
});

// ---- Keys and clicks

find("#composer").onsubmit = (event) => {
	event.preventDefault();
	const question = prompt.value.trim();
	if (isRunning() || !question) return;
	prompt.value = "";
	ask(question);
};

window.onkeydown = (event) => {
	const { key, target, shiftKey } = event;
	// Enter and Esc belong to the input method now. In Safari, only key code 229 shows this.
	if (event.isComposing || event.keyCode === 229) return;
	if (key === "Enter" && target === prompt && !shiftKey) find("#composer").requestSubmit();
	else if (key === "Escape" && isRunning() && !find(":popover-open")) stop();
	else if (key === "/" && !target.matches("input, textarea, select")) prompt.focus();
	else if (event.altKey && event.code === "KeyN") openNew();
	else return;
	event.preventDefault();
};

halt.onclick = stop;
find("#new").onclick = openNew;
find("#history").ontoggle = showHistory;

// ---- The reader's language

if (page.title) document.documentElement.lang = "zh-CN";
for (const element of document.querySelectorAll("[data-word]")) {
	element.textContent = page[element.dataset.word] ?? element.textContent;
}
prompt.placeholder = find("[for=prompt]").textContent;
send.disabled = false;
