/*
 * What the browser keeps in localStorage: the settings, and what was said, newest conversation
 * first. Where storage is off, it lasts as long as the page.
 */

const LIMIT = 1_000_000; // of all conversations together, in UTF-16 code units of their JSON

const kept = {};

export function load(name, otherwise) {
	try {
		return JSON.parse(localStorage[`workshop.${name}`]) ?? otherwise;
	} catch {
		return kept[name] ?? otherwise;
	}
}

/** Returns whether there was room. */
export function save(name, value) {
	kept[name] = value;
	try {
		localStorage[`workshop.${name}`] = JSON.stringify(value);
		return true;
	} catch {
		return false;
	}
}

/** Each is {id, title, messages}. */
export function listChats() {
	const chats = load("chats", []);
	return Array.isArray(chats) ? chats.filter((chat) => chat?.messages) : [];
}

/** As the newest. What is too much for all is forgotten, oldest first. */
export function saveChat(chat) {
	// Another tab may have saved meanwhile.
	const chats = [chat, ...listChats().filter(({ id }) => id !== chat.id)];
	while (chats.length && JSON.stringify(chats).length > LIMIT) chats.pop();
	const all = [...chats];
	while (chats.length && !save("chats", chats)) chats.pop();
	if (!chats.length) kept.chats = all;
}

export function removeChat(id) {
	save("chats", listChats().filter((chat) => chat.id !== id));
}
