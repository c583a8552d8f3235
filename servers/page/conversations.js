/*
 * The open conversation, and the list of the earlier ones.
 *
 *     ask() -> openai.js, sse.js -> delta, delta, delta -> message.js, markdown.js -> text
 */

import { find, make } from "./dom.js";
import { receiveAnswer, showAnswer, showQuestion } from "./message.js";
import { settings } from "./settings.js";
import { listChats, removeChat, saveChat } from "./store.js";
import { say, words } from "./words.js";

const conversation = find("#conversation");
const newChat = () => ({ id: Math.random(), title: "", messages: [] });

/**
 * @param {object} page what the page around it does: `tell(what, ...values)` for the wire pane
 *     (message.js), `follow()` to scroll with the text again, `setRunning(isRunning, news)`,
 *     `setEmpty(isEmpty)`, and `answered(view, asked, ending)` when an answer has ended
 */
export function conversations(page) {
	let chat = newChat();
	let running = null; // the AbortController of an answer

	async function ask(question) {
		const asking = chat; // another may be open when the answer ends
		const { messages } = asking;
		page.setEmpty(false);
		asking.title ||= question.slice(0, 80);
		messages.push({ role: "user", content: question });
		saveChat(asking);
		showQuestion(conversation, question);
		const view = showAnswer(conversation);
		page.follow();
		const controller = new AbortController();
		setRunning(controller, words.answering);

		const { system, ...asked } = settings();
		// Keep the text of a stopped or truncated answer. Thoughts are not sent back.
		asked.messages = [{ role: "system", content: system.trim() }, ...messages]
			.filter(({ content }) => content)
			.map(({ role, content }) => ({ role, content }));
		// Save the text so far, because the page may be closed now.
		messages.push(Object.assign(view.record, { ending: ["cut", words.cut] }));
		const ending = await receiveAnswer(view, asked, controller.signal, page.tell);
		view.record.ending = ending;
		page.answered(view, asked, ending);
		if (listChats().some(({ id }) => id === asking.id)) saveChat(asking); // otherwise it was deleted
		if (running === controller) setRunning(null, ending[1] || words.complete);
	}

	function setRunning(controller, news) {
		running = controller;
		page.setRunning(Boolean(controller), news);
	}

	function askAgain() {
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
		page.setEmpty(chat.messages.length === 0);
		for (const message of chat.messages) {
			if (message.role === "user") showQuestion(conversation, message.content);
			else showAnswer(conversation).restore(message);
		}
		page.tell("start");
		page.follow();
		find("#prompt").focus();
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

	window.onpagehide = () => running && saveChat(chat);

	return {
		ask,
		askAgain,
		showHistory,
		openNew: () => open(newChat()),
		stop: () => running?.abort(),
		isRunning: () => Boolean(running),
	};
}
