/*
 * The open conversation. It has an address, so that a reload, the back button and a second window
 * find it again:
 *
 *     /?chat=k3x9w2ab        saved in this browser as workshop.chat.k3x9w2ab (chats.js)
 *
 *     ask() -> openai.js, sse.js -> delta, delta, delta -> message.js, markdown/ -> text
 */

import { findChat, listChats, makeRoom, newChat, saveChat } from "./chats.js";
import { find, make } from "../dom.js";
import { draftOf, saveDraft } from "./drafts.js";
import { editQuestion } from "./editing.js";
import { endingOf, left } from "./endings.js";
import { historyList } from "./history.js";
import { copy, receiveAnswer, showAnswer, showQuestion, showVersions } from "./message.js";
import { notify } from "./notice.js";
import { settings } from "../settings.js";
import { put, toSend, turn } from "./turns.js";
import { say, words } from "../words/words.js";

const TITLE = 80; // characters

// This module is loaded later than the page, and so is its style sheet.
const styles = make("link", { rel: "stylesheet", href: new URL("conversation.css", import.meta.url) });
await new Promise((done) => {
	styles.onload = styles.onerror = done;
	document.head.append(styles);
});

const conversation = find("#conversation");
const prompt = find("#prompt");
const panel = find("#history");
const pageTitle = document.title;

/**
 * @param {object} page what the page around it does: `tell(what, ...values)` for the wire pane
 *     (message.js), `follow()` to scroll with the text again, `setRunning(isRunning, news)`,
 *     `setEmpty(isEmpty)`, `answered(view, asked, ending)` when an answer has ended, and
 *     `restored(view, message)` when an earlier answer is shown
 */
export function conversations(page) {
	let chat = newChat();
	let running = null; // the AbortController of an answer
	let isLeaving = false;
	const draftName = () => (chat.messages.length ? chat.id : "");

	// ---- Ask

	/** Asks at the end of the conversation, or in place of the question at `index`. */
	function ask(content, index = chat.messages.length) {
		page.setEmpty(false);
		if (index === chat.messages.length) saveDraft(draftName(), "");
		if (index === 0) chat.title = content.slice(0, TITLE);
		const message = { role: "user", content };
		put(chat.messages, index, message);
		showFrom(index);
		return answer();
	}

	/** Asks for the answer at `index`, after all messages before it. */
	async function answer(index = chat.messages.length) {
		const asking = chat; // another may be open when the answer ends
		const controller = new AbortController();
		const { system, ...asked } = settings();
		asked.messages = toSend(chat.messages.slice(0, index), system.trim());
		remove(index);
		notify();
		const view = showAnswer(conversation);
		const { record } = view;
		Object.assign(record, { fault: asked.fault ?? "", ending: left() });
		put(chat.messages, index, record);
		showVersions(view.element, record);
		keep(asking); // the page may be closed now
		page.follow();
		setRunning(controller, words.answering);
		record.ending = await receiveAnswer(view, asked, controller.signal, page.tell);
		if (isLeaving) return; // the browser has closed the connection together with the page
		page.answered(view, asked, record.ending);
		if (findChat(asking.id)) keep(asking); // otherwise it was deleted
		if (running === controller) setRunning(null, record.ending[1] || words.complete);
	}

	function setRunning(controller, news) {
		running = controller;
		conversation.toggleAttribute("data-running", Boolean(controller));
		page.setRunning(Boolean(controller), news);
	}

	function askAgain() {
		const isQuestion = ({ role }) => role === "user";
		// In a damaged conversation, an answer may have no question.
		if (running || !chat.messages.some(isQuestion)) return;
		const last = chat.messages.length - 1;
		answer(isQuestion(chat.messages[last]) ? last + 1 : last);
	}

	// ---- Show

	const articles = () => conversation.querySelectorAll("[data-role]");
	const indexOf = (element) => [...articles()].indexOf(element.closest("[data-role]"));

	function remove(index) {
		while (articles().length > index) conversation.lastElementChild.remove();
	}

	function showFrom(index) {
		remove(index);
		const answers = []; // for the wire pane: which ones are on the page now
		for (const message of chat.messages.slice(index)) {
			if (message.role === "user") showVersions(showQuestion(conversation, message), message);
			else {
				const view = showAnswer(conversation);
				view.restore(message);
				showVersions(view.element, message);
				page.restored?.(view, message);
				answers.push([view.element, message]);
			}
		}
		if (answers.length) page.tell("shown", answers);
	}

	/** `how` the address changes: "pushState", "replaceState", or not at all. */
	function open(opened, how) {
		running?.abort();
		setRunning(null, "");
		chat = opened;
		if (how) setAddress(how);
		page.tell("clear");
		showFrom(0);
		page.setEmpty(chat.messages.length === 0);
		prompt.value = draftOf(draftName());
		notify(chat.lost ? say("lost", chat.lost) : "");
		if (chat.messages.length) page.follow();
		prompt.focus();
	}

	function setAddress(how) {
		const { id, messages } = chat;
		const address = messages.length ? `?chat=${encodeURIComponent(id)}` : location.pathname;
		document.title = messages.length ? `${chat.title} · ${pageTitle}` : pageTitle;
		history[how](null, "", address);
	}

	function openAddress() {
		const id = new URLSearchParams(location.search).get("chat") ?? "";
		if (id === draftName() && chat.messages.length) return; // only the fragment has changed
		const found = id ? findChat(id) : newChat();
		open(found ?? newChat(), "replaceState");
		if (!found) notify(words.gone);
	}

	// ---- Save

	function keep(saved) {
		const how = saveChat(saved);
		if (saved === chat) setAddress("replaceState");
		if (how === "copied") notify(words.copiedChat);
		if (how !== "full") return;
		const others = listChats().chats.length - 1;
		notify(words.full, others ? words.makeRoom : "", () => {
			notify(say("deletedOldest", makeRoom(saved)));
		});
	}

	/** Another window may have continued the conversation. It saves once an answer is complete. */
	window.addEventListener("storage", ({ key }) => {
		if (running || key !== `workshop.chat.${chat.id}`) return;
		const stored = findChat(chat.id);
		if (!stored || stored.saved === chat.saved || stored.messages.at(-1)?.ending?.[0] === "left") return;
		chat = stored;
		showFrom(0);
	});
	window.addEventListener("popstate", openAddress);
	window.addEventListener("pagehide", () => {
		isLeaving = true;
		if (running) saveChat(chat);
	});
	window.addEventListener("pageshow", () => (isLeaving = false));
	prompt.addEventListener("input", () => saveDraft(draftName(), prompt.value));

	// ---- Clicks

	conversation.addEventListener("click", ({ target }) => {
		const is = (selector) => target.matches(selector);
		if (is(".copy")) copy(target, find("code", target.closest(".code")).textContent);
		if (running) return;
		const index = indexOf(target);
		if (is(".again")) {
			prompt.focus();
			askAgain();
		}
		if (is(".edit")) editQuestion(articles()[index], (text) => ask(text, index));
		if (target.dataset.step) {
			turn(chat.messages, index, Number(target.dataset.step));
			showFrom(index);
			keep(chat);
			find(".versions button:enabled", articles()[index])?.focus();
		}
	});
	conversation.addEventListener("result", ({ target }) => {
		const index = indexOf(target);
		const message = chat.messages[index];
		if (running || message.calls.some(({ result }) => result === undefined)) return;
		message.ending = endingOf("stop");
		showFrom(index);
		answer(index + 1);
	});

	const showHistory = historyList(panel, {
		isOpen: ({ id }) => id === chat.id,
		open(chosen) {
			panel.hidePopover();
			if (chosen.id !== chat.id) open(chosen, "pushState"); // otherwise it is open, and perhaps running
		},
		close(closed) {
			if (closed.id !== chat.id) return () => {};
			if (running) saveChat(chat);
			open(newChat(), "replaceState");
			return () => open(findChat(closed.id), "replaceState");
		},
	});

	const typed = prompt.value; // before this module was loaded
	openAddress();
	if (typed) {
		prompt.value = typed;
		saveDraft(draftName(), typed);
	}
	return {
		ask,
		askAgain,
		openNew: () => open(newChat(), chat.messages.length ? "pushState" : "replaceState"),
		stop: () => running?.abort(),
		isRunning: () => Boolean(running),
		showHistory,
	};
}
