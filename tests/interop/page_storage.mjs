/*
 * The saved conversations of the chat page under Node, with a storage that is good, damaged, full,
 * missing, or written by an older page. Each row of standard input is one browser:
 *
 *     {"stored":{"workshop.chat.a":"{…}"},"room":1000,"steps":[["list"],["save","a"]]}
 *
 * `room` is the quota of the storage in UTF-16 code units; null stands for no storage at all. Prints
 * the result of each step, and what is stored in the end.
 */

import { readFileSync } from "node:fs";
import { load } from "./page_modules.mjs";

class Storage {
  constructor(stored, room) {
    this.stored = new Map(Object.entries(stored));
    this.room = room;
  }

  get length() {
    return this.stored.size;
  }

  key(index) {
    return [...this.stored.keys()][index];
  }

  getItem(key) {
    return this.stored.get(key) ?? null;
  }

  setItem(key, value) {
    const others = [...this.stored].filter(([other]) => other !== key);
    const size = others.reduce((sum, [, text]) => sum + text.length, String(value).length);
    if (size > this.room) throw new DOMException("full", "QuotaExceededError");
    this.stored.set(key, String(value));
  }

  removeItem(key) {
    this.stored.delete(key);
  }
}

const folder = process.argv[2];
const { findChat, listChats, makeRoom, newChat, removeChat, removeUnreadable, saveChat } = await load(
  folder,
  "conversation/chats.js",
);
const { put, toSend, turn, versionsOf } = await load(folder, "conversation/turns.js");
const store = await load(folder, "store.js");

/** `open` holds the conversations that the page has read: a window of its own for each name. */
function step(open, [name, id, ...values]) {
  switch (name) {
    case "list": {
      const { chats, unreadable } = listChats();
      return { ids: chats.map((chat) => chat.id), unreadable };
    }
    case "open":
      open[id] = findChat(values[0] ?? id);
      return open[id];
    case "new":
      open[id] = Object.assign(newChat(), { id, messages: [{ role: "user", content: values[0] }] });
      return null;
    case "say":
      open[id].messages.push({ role: "user", content: values[0] });
      return null;
    case "save": {
      const how = saveChat(open[id], ...values);
      return open[id].id === id ? how : [how, open[id].id !== id];
    }
    case "room":
      return makeRoom(open[id], ...values);
    case "remove":
      open.undo = removeChat(id);
      return null;
    case "undo":
      return open.undo();
    case "removeUnreadable":
      return removeUnreadable();
    case "put":
      put(open[id].messages, values[0], { role: "user", content: values[1] });
      return shown(open[id]);
    case "turn":
      turn(open[id].messages, ...values);
      return shown(open[id]);
    case "send":
      return toSend(open[id].messages, ...values);
    default:
      throw new Error(name);
  }
}

/** Each message with its versions: "b 2/3". */
const shown = ({ messages }) =>
  messages.map((message) => {
    const { at, count } = versionsOf(message);
    return count > 1 ? `${message.content} ${at}/${count}` : message.content;
  });

function browse({ stored = {}, room = 5_000_000, steps }) {
  for (const name of store.names("")) store.remove(name);
  globalThis.localStorage = room === null ? undefined : new Storage(stored, room);
  const open = {};
  const told = steps.map((one) => structuredClone(step(open, one)));
  return { told, stored: room === null ? {} : Object.fromEntries(localStorage.stored) };
}

console.log(JSON.stringify(JSON.parse(readFileSync(0)).map(browse)));
