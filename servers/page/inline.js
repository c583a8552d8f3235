/*
 * Inline Markdown: the text of one block becomes strings and nodes.
 *
 *     a **b** `c`    ->  ["a ", {tag: "strong", children: ["b"]}, " ", {tag: "code", children: ["c"]}]
 *
 * CommonMark 0.31 §6 and GitHub's ~~strikethrough~~ and bare URLs. Tags are strong, em, del, code,
 * a and br, and no other: HTML is text. A picture is a link to it, for nothing is loaded from
 * elsewhere; an address that is not http, https or mailto leaves its Markdown as text.
 *
 * The rules this file keeps:
 *
 * 1. Time is linear in the text, but for a bound: the caller gives at most a few thousand characters.
 * 2. `isOpen` tells whether text that comes later could change how this text reads.
 */

/** @typedef {string | {tag: string, children: Inline[], href?: string, depth: number}} Inline */

/** How many characters were looked at, in all: a test counts them. */
export const work = { characters: 0 };

const MAX_DEPTH = 16; // marks inside marks; deeper ones are text
const MAX_URL = 2048;

const PUNCTUATION = /[!-/:-@[-`{-~]/;
const PLAIN = /[^\\`*_~[\]!<&\nh]+/y;
const BARE_URL = /https?:\/\/[^\s<>`*\u3000-\u303f\uff00-\uffef]+/y;
const ANGLE_URL = /<([a-z][a-z0-9+.-]{1,31}:[^\s<>]*)>|<([\w.+-]+@[\w-]+(?:\.[\w-]+)+)>/iy;
const ENTITY = /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]+));/iy;
const ENTITIES = new RegExp(ENTITY.source, "gi");
// (destination "title"), the destination perhaps in <>, or with parentheses in pairs
const TARGET =
  /\(\s*(?:<((?:[^<>\\\n]|\\.)*)>|((?:[^\s()\\]|\\.|\((?:[^\s()\\]|\\.)*\))*))(?:\s+(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\((?:[^()\\]|\\.)*\)))?\s*\)/sy;

const NAMED = {
  amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", copy: "©", hellip: "…",
  ndash: "–", mdash: "—", times: "×", middot: "·", larr: "←", rarr: "→", deg: "°", colon: ":",
};

/**
 * @param {string} text
 * @returns {{nodes: Inline[], isOpen: boolean}}
 */
export function parseInline(text) {
  work.characters += text.length;
  const items = []; // strings, nodes, and marks that wait for their partner
  const brackets = []; // where in `items` a [ or ![ waits
  const unclosed = new Set(); // lengths of backtick runs that have no partner
  let isOpen = false;
  let at = 0;

  const take = (pattern) => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match;
  };

  while (at < text.length) {
    const char = text[at];
    let match;
    if ((match = take(PLAIN))) items.push(match[0]);
    else if (char === "\n") takeLineEnd();
    else if (char === "\\") takeEscape();
    else if (char === "`") takeCode();
    else if ("*_~".includes(char)) takeRun(char);
    else if (char === "[" || text.startsWith("![", at)) {
      brackets.push(items.length);
      items.push({ bracket: char === "[" ? "[" : "![" });
      at += char === "[" ? 1 : 2;
    } else if (char === "]") closeBracket();
    else if (char === "h" && !/\w/.test(text[at - 1] ?? "") && (match = take(BARE_URL))) {
      takeUrl(match[0]);
    } else if (char === "<" && (match = take(ANGLE_URL))) {
      const href = allowed(match[1] ?? `mailto:${match[2]}`);
      items.push(href ? link([match[1] ?? match[2]], href) : match[0]);
    } else if (char === "&" && (match = take(ENTITY))) items.push(decode(match));
    else {
      isOpen ||= char === "<" && !/[\s<>]/.test(text.slice(at + 1));
      items.push(char);
      at += 1;
    }
  }
  isOpen ||= brackets.length > 0;
  const paired = pair(items);
  isOpen ||= paired.some((item) => item.opens);
  return { nodes: join(paired), isOpen };

  function takeLineEnd() {
    at += 1;
    const before = items.at(-1);
    if (typeof before === "string" && before.endsWith("  ")) {
      items[items.length - 1] = before.trimEnd();
      items.push(node("br", []));
    } else items.push("\n");
  }

  function takeEscape() {
    const next = text[at + 1] ?? "";
    if (next === "\n") items.push(node("br", []));
    else items.push(PUNCTUATION.test(next) ? next : "\\" + next);
    at += 2;
  }

  // "ends with a backtick string of equal length"
  function takeCode() {
    const [run] = /^`+/.exec(text.slice(at));
    const start = (at += run.length);
    if (!unclosed.has(run.length)) {
      for (const { 0: other, index } of text.slice(start).matchAll(/`+/g)) {
        if (other.length !== run.length) continue;
        let code = text.slice(start, start + index).replaceAll("\n", " ");
        if (/^ .*[^ ].* $/.test(code)) code = code.slice(1, -1);
        items.push(node("code", [code]));
        at = start + index + run.length;
        return;
      }
      unclosed.add(run.length);
    }
    isOpen = true;
    items.push(run);
  }

  // "left-flanking" may open, "right-flanking" may close. A Chinese character has no space beside it
  // and counts as one: in **“你好”**世界 the mark closes.
  function takeRun(char) {
    const start = at;
    while (text[at] === char) at += 1;
    const before = characterAt(text, isLow(text[start - 1]) ? start - 2 : start - 1);
    const after = characterAt(text, at);
    const isOpener = !isSpace(after) && (!isSign(after) || isBorder(before));
    const isCloser = !isSpace(before) && (!isSign(before) || isBorder(after));
    const inWord = char === "_" && isOpener && isCloser;
    const opens = isOpener && (!inWord || isSign(before));
    const closes = isCloser && (!inWord || isSign(after));
    const count = at - start;
    if (char === "~" && count !== 2) items.push(text.slice(start, at));
    else items.push({ char, count, length: count, opens, closes });
  }

  function closeBracket() {
    at += 1;
    const opened = brackets.pop();
    if (opened === undefined) return void items.push("]");
    const match = text[at] === "(" ? take(TARGET) : null;
    const href = match && allowed(unescape(match[1] ?? match[2]));
    if (!href) {
      // `[text](https:` may still become a link
      isOpen ||= !match && text[at] === "(";
      items[opened] = items[opened].bracket;
      items.push("]" + (match ? match[0] : ""));
      return;
    }
    const isPicture = items[opened].bracket === "![";
    const children = join(pair(items.splice(opened).slice(1)));
    items.push(link(children, href, isPicture));
    // "links may not contain other links": what waits outside is text
    if (!isPicture) for (const other of brackets.splice(0)) items[other] = items[other].bracket;
  }

  function takeUrl(url) {
    // What follows a URL in a sentence is not part of it: (see https://example.org/).
    let end = url.search(/[.,:;!?'"_~*\]]*$/);
    if (url[end - 1] === ")" && !url.includes("(")) end = url.slice(0, end).search(/[).,]*$/);
    at -= url.length - end;
    const href = allowed(url.slice(0, end));
    items.push(href ? link([url.slice(0, end)], href) : url.slice(0, end));
  }
}

/** The address, if a link may go there. What is no such scheme is no link, however it is spelled. */
function allowed(url) {
  return url.length <= MAX_URL && /^(?:https?:\/\/|mailto:)[^\s\p{Cc}]+$/iu.test(url) ? url : null;
}

function node(tag, children) {
  const depth = 1 + Math.max(0, ...children.map((child) => child.depth ?? 0));
  return { tag, children, depth };
}

/** Inside of a link another one is its text only. */
function link(children, href, isPicture = false) {
  const flat = (list) => list.flatMap((child) => (child.tag === "a" ? flat(child.children) : [child]));
  const inside = flat(children);
  return { ...node("a", inside.length ? inside : [href]), href, isPicture };
}

/** Emphasis, by the algorithm of CommonMark's appendix: a closer takes the nearest opener. */
function pair(items) {
  const out = [];
  const bottoms = {}; // below there, no opener for such a closer: each is looked for once
  for (const item of items) {
    while (item.closes && item.count > 0) {
      const key = `${item.char}${item.opens}${item.length % 3}`;
      let index = out.length - 1;
      const bottom = Math.min(bottoms[key] ?? 0, out.length);
      while (index >= bottom && !matches(out[index], item)) index -= 1;
      if (index < bottom) {
        bottoms[key] = out.length;
        break;
      }
      const opener = out[index];
      const size = Math.min(2, opener.count, item.count);
      const tag = item.char === "~" ? "del" : size === 2 ? "strong" : "em";
      const made = node(tag, join(out.splice(index + 1)));
      if (made.depth > MAX_DEPTH) {
        out.push(...made.children);
        break;
      }
      opener.count -= size;
      item.count -= size;
      if (opener.count === 0) out.pop();
      out.push(made);
    }
    if (!item.char) out.push(item);
    else if (item.count > 0) out.push(item.opens ? item : item.char.repeat(item.count));
  }
  return out;
}

// "the sum of the lengths [...] must not be a multiple of 3 unless both lengths are"
function matches(opener, closer) {
  if (!opener.opens || opener.char !== closer.char) return false;
  if (!closer.opens && !opener.closes) return true;
  return (opener.length + closer.length) % 3 !== 0 || (opener.length % 3 === 0 && closer.length % 3 === 0);
}

/** Marks that found no partner are text, and text beside text is one string. */
function join(items) {
  const joined = [];
  for (const item of items) {
    const text = item.bracket ?? (item.char ? item.char.repeat(item.count) : item);
    if (typeof text === "string" && typeof joined.at(-1) === "string") joined[joined.length - 1] += text;
    else joined.push(text);
  }
  return joined;
}

function unescape(url) {
  return url.replace(/\\([!-/:-@[-`{-~])/g, "$1").replace(ENTITIES, (...match) => decode(match));
}

function decode([whole, decimal, hex, name]) {
  if (name) return NAMED[name] ?? whole;
  const code = parseInt(decimal ?? hex, decimal ? 10 : 16);
  const isCharacter = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return String.fromCodePoint(isCharacter ? code : 0xfffd);
}

const characterAt = (text, index) => String.fromCodePoint(text.codePointAt(index) ?? 32);
const isLow = (unit) => unit >= "\udc00" && unit <= "\udfff"; // half of a surrogate pair
const isSpace = (char) => /\s/.test(char);
const isSign = (char) => /[\p{P}\p{S}]/u.test(char);
const isBorder = (char) => /[\s\p{P}\p{S}\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}]/u.test(char);
