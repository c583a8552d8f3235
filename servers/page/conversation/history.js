/*
 * The list of the saved conversations, newest first: to open one, to search them when there are
 * many, to delete one and to undo that.
 */

import { listChats, removeChat, removeUnreadable } from "./chats.js";
import { find, make } from "../dom.js";
import { say, words } from "../words/words.js";

const MANY = 8; // conversations from which on there is a search field
const MAX_ROWS = 200;
const [BEFORE, AFTER] = [30, 80]; // characters of an excerpt around what was found

/**
 * The conversations that have every word of a text in their title or messages, with an excerpt
 * around the first word: [before, the word, after], or null if the title has it.
 */
export function searchChats(chats, text) {
	const patterns = text.trim().split(/\s+/).filter(Boolean).map(patternOf);
	return chats.flatMap((chat) => {
		const texts = [chat.title, ...chat.messages.map(({ content }) => content)];
		if (!patterns.every((pattern) => texts.some((one) => pattern.test(one)))) return [];
		const found = patterns[0] && !patterns[0].test(chat.title) ? excerpt(texts, patterns[0]) : null;
		return [{ chat, found }];
	});
}

const patternOf = (word) => new RegExp(word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "iu");

function excerpt(texts, pattern) {
	const text = texts.find((one) => pattern.test(one));
	const { 0: word, index } = pattern.exec(text);
	const before = index > BEFORE ? `…${text.slice(index - BEFORE, index)}` : text.slice(0, index);
	const rest = text.slice(index + word.length);
	return [before, word, rest.slice(0, AFTER)].map((part) => part.replace(/\s+/g, " "));
}

/**
 * @param {HTMLElement} panel has a <ul>, and a <p> for when it is empty
 * @param {object} page `isOpen(chat)`; `open(chat)`; `close(chat)` before a deletion, which returns a function for
 *     when it is undone
 * @returns {Function} reads the conversations again, and shows them
 */
export function historyList(panel, page) {
	const list = find("ul", panel);
	const search = make("input", { type: "search", ariaLabel: words.search, placeholder: words.search });
	const note = make("p", "note");
	let [chats, unreadable] = [[], 0];
	const deleted = new Map(); // a conversation, and what undoes its deletion
	search.oninput = draw;
	panel.prepend(search);
	panel.append(note);

	function show() {
		({ chats, unreadable } = listChats());
		deleted.clear();
		search.value = "";
		draw();
	}

	function draw() {
		const found = searchChats(chats, search.value);
		find("p", panel).hidden = chats.length > 0;
		search.hidden = chats.length < MANY;
		list.replaceChildren(...found.slice(0, MAX_ROWS).map(row));
		const more = found.length - MAX_ROWS;
		note.replaceChildren(chats.length && !found.length ? words.nothing : more > 0 ? say("more", more) : "");
		if (unreadable) note.append(say("unreadable", unreadable), " ", button(words.removeUnreadable, () => {
			removeUnreadable();
			show();
		}));
	}

	function row({ chat, found }, index) {
		if (deleted.has(chat)) return deletedRow(chat, index);
		const title = button(make("span", { dir: "auto" }, chat.title), () => page.open(chat));
		if (page.isOpen(chat)) title.ariaCurrent = "true";
		if (found) {
			const [before, word, after] = found;
			title.append(make("small", { dir: "auto" }, before, make("mark", {}, word), after));
		}
		const remove = button("✕", () => {
			const reopen = page.close(chat);
			const undo = removeChat(chat.id);
			deleted.set(chat, () => {
				undo();
				reopen();
			});
			draw();
			find("button", list.children[index]).focus();
		});
		remove.ariaLabel = say("remove", chat.title);
		return make("li", {}, title, remove);
	}

	function deletedRow(chat, index) {
		const undo = button(words.undo, () => {
			deleted.get(chat)();
			deleted.delete(chat);
			draw();
			find("button", list.children[index]).focus();
		});
		undo.className = "undo";
		return make("li", {}, make("span", { dir: "auto" }, say("deleted", chat.title)), undo);
	}

	return show;
}

const button = (label, onclick) => make("button", { onclick }, label);
