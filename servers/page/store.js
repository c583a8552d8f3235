/*
 * What the browser keeps in localStorage: the settings and the conversations, newest first. If
 * storage is off, they last as long as the page.
 *
 * Any page of this origin may have written there, so nothing is trusted: values of another type are
 * left out.
 */

const LIMIT = 1_000_000; // size of all conversations together, in UTF-16 code units of JSON

const kept = {};

/** @returns {any} any JSON, or undefined */
export function load(name) {
	try {
		return JSON.parse(localStorage[`workshop.${name}`]);
	} catch {
		return kept[name];
	}
}

/** Returns whether the storage had room. */
export function save(name, value) {
	kept[name] = value;
	try {
		localStorage[`workshop.${name}`] = JSON.stringify(value);
		return true;
	} catch {
		return false;
	}
}

/** Each is {id, title, messages}, with the right types, whatever was stored. */
export function listChats() {
	return arrayOf(load("chats")).flatMap(readChat);
}

function readChat(stored) {
	const { id, title, messages } = Object(stored);
	if (typeof id !== "number" || !Array.isArray(messages)) return [];
	return [{ id, title: textOf(title) || "…", messages: messages.flatMap(readMessage) }];
}

function readMessage(stored) {
	const { role, content, thinking, ending, seconds, stats } = Object(stored);
	if (role === "user") return [{ role, content: textOf(content) }];
	if (role !== "assistant") return [];
	return [{
		role,
		content: textOf(content),
		thinking: textOf(thinking),
		ending: [0, 1].map((index) => textOf(arrayOf(ending)[index])),
		seconds: Number.isFinite(seconds) ? seconds : 0,
		stats: textOf(stats),
	}];
}

const arrayOf = (value) => (Array.isArray(value) ? value : []);
const textOf = (value) => (typeof value === "string" ? value : "");

/** Saves a conversation as the newest. Evicts the oldest conversations to keep the limit. */
export function saveChat(chat) {
	// Another tab may have saved in the meantime.
	const chats = [chat, ...listChats().filter(({ id }) => id !== chat.id)];
	while (chats.length && JSON.stringify(chats).length > LIMIT) chats.pop();
	const all = [...chats];
	while (chats.length && !save("chats", chats)) chats.pop();
	if (!chats.length) kept.chats = all;
}

export function removeChat(id) {
	save("chats", listChats().filter((chat) => chat.id !== id));
}
