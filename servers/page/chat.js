/*
 * The chat page: the effects of the reader's keys and clicks.
 *
 *     Enter -> ask() -> openai.js, sse.js -> delta, delta, delta -> message.js, markdown.js -> text
 */

import { find, make } from "./dom.js";
import { copy, receiveAnswer, showAnswer, showQuestion } from "./message.js";
import { followText } from "./scroll.js";
import { settings } from "./settings.js";
import { listChats, removeChat, saveChat } from "./store.js";
import { page, say, words } from "./words.js";

const conversation = find("#conversation");
const prompt = find("#prompt");
const [send, halt] = [find("#send"), find("#halt")];
const follow = followText(conversation, find("#pill"));

let chat = newChat();
let running = null; // the AbortController of an answer

// The wire pane is loaded with the first recorded answer. Its calls keep their order.
let pane = null;
function tellWire(what, ...values) {
	if (what === "opened" && values[0].headers.has("X-Wire")) {
		const isWide = matchMedia("(width >= 80rem)").matches; // there is room beside the text
		pane ??= import("./wire.js").then(({ wirePane }) => wirePane(find("#wire"), isWide));
	}
	pane?.then((loaded) => loaded[what](...values));
}

function newChat() {
	return { id: Math.random(), title: "", messages: [] };
}

// ---- One question and its answer

async function ask(question) {
	const asking = chat; // another may be open when the answer ends
	const { messages } = asking;
	find("#intro").hidden = true;
	asking.title ||= question.slice(0, 80);
	messages.push({ role: "user", content: question });
	saveChat(asking);
	showQuestion(conversation, question);
	const view = showAnswer(conversation);
	follow();
	const controller = new AbortController();
	setRunning(controller, words.answering);

	const { system, ...asked } = settings();
	// Keep the text of a stopped or truncated answer. Thoughts are not sent back.
	asked.messages = [{ role: "system", content: system.trim() }, ...messages]
		.filter(({ content }) => content)
		.map(({ role, content }) => ({ role, content }));
	// Save the text so far, because the page may be closed now.
	messages.push(Object.assign(view.record, { ending: ["cut", words.cut] }));
	view.record.ending = await receiveAnswer(view, asked, controller.signal, tellWire);
	if (listChats().some(({ id }) => id === asking.id)) saveChat(asking); // otherwise it was deleted
	if (running === controller) setRunning(null, view.record.ending[1] || words.complete);
}

function setRunning(controller, news) {
	running = controller;
	// Move the focus before the focused button disappears.
	if ([send, halt].includes(document.activeElement)) prompt.focus();
	send.hidden = Boolean(controller);
	halt.hidden = !controller;
	// Do not announce single tokens, because a screen reader would never stop talking.
	find("#announcer").textContent = news;
}

function askAgain() {
	prompt.focus();
	const at = chat.messages.findLastIndex(({ role }) => role === "user");
	if (at < 0) return; // an answer without its question, in a damaged history
	const removed = chat.messages.splice(at);
	for (const _ of removed) conversation.lastElementChild.remove();
	ask(removed[0].content);
}

function open(opened) {
	running?.abort();
	setRunning(null, "");
	chat = opened;
	conversation.replaceChildren();
	find("#intro").hidden = chat.messages.length > 0;
	for (const message of chat.messages) {
		if (message.role === "user") showQuestion(conversation, message.content);
		else showAnswer(conversation).restore(message);
	}
	tellWire("start");
	follow();
	prompt.focus();
}

function showHistory() {
	const rows = listChats().map((old) => {
		const title = make("button", {}, old.title);
		const remove = make("button", { ariaLabel: say("remove", old.title) }, "✕");
		title.onclick = () => {
			find("#history").hidePopover();
			if (old.id !== chat.id) open(old); // otherwise it is open, and perhaps running
		};
		remove.onclick = () => {
			removeChat(old.id);
			if (old.id === chat.id) open(newChat());
			showHistory();
			find("#history button")?.focus();
		};
		return make("li", {}, title, remove);
	});
	find("#history ul").replaceChildren(...rows);
	find("#history p").hidden = rows.length > 0;
}

// ---- Keys and clicks

find("#composer").onsubmit = (event) => {
	event.preventDefault();
	const question = prompt.value.trim();
	if (running || !question) return;
	prompt.value = "";
	ask(question);
};

window.onkeydown = (event) => {
	const { key, target, shiftKey } = event;
	// Enter and Esc belong to the input method now. In Safari, only key code 229 shows this.
	if (event.isComposing || event.keyCode === 229) return;
	if (key === "Enter" && target === prompt && !shiftKey) find("#composer").requestSubmit();
	else if (key === "Escape" && running && !find(":popover-open")) running.abort();
	else if (key === "/" && !target.matches("input, textarea, select")) prompt.focus();
	else if (event.altKey && event.code === "KeyN") open(newChat());
	else return;
	event.preventDefault();
};

window.onpagehide = () => running && saveChat(chat);
halt.onclick = () => running.abort();
find("#new").onclick = () => open(newChat());
find("#history").ontoggle = showHistory;
conversation.onclick = ({ target }) => {
	if (target.matches(".again") && !running) askAgain();
	if (target.matches(".copy")) copy(target, find("code", target.closest(".code")).textContent);
};

// ---- The reader's language

if (page.title) document.documentElement.lang = "zh-CN";
for (const element of document.querySelectorAll("[data-word]")) {
	element.textContent = page[element.dataset.word] ?? element.textContent;
}
prompt.placeholder = find("[for=prompt]").textContent;
send.disabled = false;
