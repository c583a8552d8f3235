/*
 * The saved conversations. Each has a key of its own in the browser's storage. So if one is
 * damaged, the others are not, and two windows can save at the same time:
 *
 *     workshop.chat.k3x9w2ab    {"title":"hello","saved":1767225600000,"messages":[{"role":"user",…
 *     workshop.chats            [{"id":0.12,"title":…,"messages":[…]},…]    all in one, until 2026
 *
 * 1. Nothing in the storage is trusted: a value of another type is left out.
 * 2. What cannot be read is never overwritten. A conversation that has lost a part, or that another
 *    window has saved in the meantime, is saved as a copy.
 * 3. When the storage is full, nothing is deleted: the caller is told.
 */

import { keep, load, names, remove, save, sizeOf } from "../store.js";

const LIMIT = 2_000_000; // size of all conversations together, in UTF-16 code units of JSON
const MAX_DEPTH = 50; // versions inside versions

const keyOf = (id) => `chat.${id}`;
const newId = () => Math.random().toString(36).slice(2, 12);

/**
 * A conversation: `saved` is the time of its last save (milliseconds since 1970), 0 if it has none;
 * `lost` counts the messages that could not be read.
 */
export const newChat = () => ({ id: newId(), title: "", saved: 0, lost: 0, messages: [] });

/** All conversations, newest first, and the number of those that cannot be read. */
export function listChats() {
	const ids = names("chat.").map((name) => name.slice("chat.".length));
	const older = olderChats().filter(({ id }) => !ids.includes(idOf(id)));
	const found = [
		...ids.map((id) => readChat(id, load(keyOf(id)))),
		...older.map((stored) => readChat(idOf(stored.id), stored)), // they are the oldest
	];
	const chats = found.filter(Boolean).sort((one, other) => other.saved - one.saved);
	return { chats, unreadable: found.length - chats.length };
}

/** The conversation, or null. */
export function findChat(id) {
	const stored = load(keyOf(id)) ?? olderChats().find((one) => idOf(one.id) === id);
	return readChat(id, stored);
}

/**
 * Saves a conversation as the newest.
 *
 * @returns {"saved" | "copied" | "full"} "copied": `chat.id` is new now; "full": the conversation
 *     is kept in memory
 */
export function saveChat(chat, limit = LIMIT) {
	const stored = findChat(chat.id);
	const isCopy = chat.lost > 0 || Boolean(stored && stored.saved !== chat.saved);
	if (isCopy) Object.assign(chat, { id: newId(), lost: 0 });
	const { id, title, messages } = chat;
	chat.saved = Math.max(Date.now(), chat.saved + 1);
	const value = { title, saved: chat.saved, messages };
	const others = names("chat.").filter((name) => name !== keyOf(id));
	const size = others.reduce((sum, name) => sum + sizeOf(name), JSON.stringify(value).length);
	if (size > limit || !save(keyOf(id), value)) {
		keep(keyOf(id), value);
		return "full";
	}
	removeOlder(id);
	return isCopy ? "copied" : "saved";
}

/** Deletes a conversation. Returns a function that puts back exactly what was there. */
export function removeChat(id) {
	const stored = load(keyOf(id));
	const older = olderChats().find((one) => idOf(one.id) === id);
	remove(keyOf(id));
	removeOlder(id);
	return () => {
		if (stored) save(keyOf(id), stored);
		if (older) save("chats", [older, ...olderChats()]);
	};
}

/** Deletes the oldest conversations until this one can be saved. Returns how many. */
export function makeRoom(chat, limit = LIMIT) {
	const oldest = listChats().chats.filter(({ id }) => id !== chat.id);
	let deleted = 0;
	while (saveChat(chat, limit) === "full" && oldest.length) {
		removeChat(oldest.pop().id);
		deleted += 1;
	}
	return deleted;
}

/** Deletes what cannot be read. */
export function removeUnreadable() {
	for (const name of names("chat.")) if (!findChat(name.slice("chat.".length))) remove(name);
	save("chats", olderChats().filter(({ id, ...stored }) => readChat(idOf(id), stored)));
}

// ---- The older format

const idOf = (id) => (typeof id === "number" ? String(id) : "");

function olderChats() {
	return arrayOf(load("chats")).map(Object);
}

function removeOlder(id) {
	const older = olderChats();
	const left = older.filter((one) => idOf(one.id) !== id);
	if (left.length < older.length) save("chats", left);
}

// ---- Read what may be anything

function readChat(id, stored) {
	const { title, saved, messages } = Object(stored);
	if (!id || !Array.isArray(messages)) return null;
	const tally = { lost: 0 };
	const read = readMessages(messages, tally);
	return { id, title: textOf(title) || "…", saved: numberOf(saved), lost: tally.lost, messages: read };
}

function readMessages(all, tally, depth = 0) {
	return arrayOf(all).flatMap((stored) => {
		const { role, content } = Object(stored);
		if (!["user", "assistant"].includes(role) || typeof content !== "string") tally.lost += 1;
		if (role === "user") return [{ role, content: textOf(content), ...readVersions(stored, tally, depth) }];
		if (role !== "assistant") return [];
		const { thinking, ending, seconds, stats, fault, calls, refused } = stored;
		const [kind, words, lesson] = arrayOf(ending);
		return [{
			role,
			content: textOf(content),
			thinking: textOf(thinking),
			ending: [textOf(kind), textOf(words), numberOf(lesson)],
			seconds: numberOf(seconds),
			stats: textOf(stats),
			fault: textOf(fault),
			calls: arrayOf(calls).map(readCall),
			refused: refused === true,
			...readVersions(stored, tally, depth),
		}];
	});
}

function readVersions({ at, others }, tally, depth) {
	if (depth === MAX_DEPTH) tally.lost += arrayOf(others).length;
	if (depth === MAX_DEPTH || !Array.isArray(others)) return {};
	const read = others.map((all) => readMessages(all, tally, depth + 1)).filter((all) => all.length);
	const place = Math.max(0, Math.min(read.length, Math.floor(numberOf(at))));
	return read.length ? { at: place, others: read } : {};
}

function readCall(stored) {
	const { id, name, result, ...call } = Object(stored);
	const read = { id: textOf(id), name: textOf(name), arguments: textOf(call.arguments) };
	return typeof result === "string" ? { ...read, result } : read;
}

const arrayOf = (value) => (Array.isArray(value) ? value : []);
const textOf = (value) => (typeof value === "string" ? value : "");
const numberOf = (value) => (Number.isFinite(value) ? value : 0);
