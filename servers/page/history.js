/*
 * What was said, in the browser's localStorage and nowhere else: the newest conversation first, the
 * oldest forgotten when all together are too long, or the browser has no more room. Where storage is
 * off, they last as long as the page.
 */

const KEY = "workshop.chats";
const LIMIT = 1_000_000; // UTF-16 code units of JSON, two bytes each

/** @typedef {{id: string, title: string, messages: object[]}} Chat */

let kept = []; // where storage is off

/** @returns {Chat[]} */
export function listChats() {
  try {
    const chats = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(chats) ? chats : [];
  } catch {
    return kept;
  }
}

/** Keeps this conversation, as the newest. @param {Chat} chat */
export function saveChat(chat) {
  // Read again each time: another tab may have saved meanwhile.
  write([chat, ...listChats().filter(({ id }) => id !== chat.id)]);
}

export function removeChat(id) {
  write(listChats().filter((chat) => chat.id !== id));
}

function write(chats) {
  kept = chats;
  for (; ; chats.pop()) {
    const json = JSON.stringify(chats);
    if (json.length > LIMIT && chats.length) continue;
    try {
      localStorage.setItem(KEY, json);
      return;
    } catch {
      if (!chats.length) return; // full of what is not ours, or off
    }
  }
}
