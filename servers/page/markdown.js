/*
 * Markdown, block by block, as its text arrives. It becomes a tree of plain objects:
 *
 *     - **one**     {type: "list", children: [{type: "item", children: [{type: "paragraph",
 *     - two          text: "**one**"}]}, {type: "item", …}]}
 *
 * CommonMark 0.31 §4 and §5, and GitHub's tables and task lists. A line is read once, when its line
 * end is there: it says which open blocks go on, and which begin. The unfinished last line is read
 * for a look, and what it did is undone.
 *
 * The rules this file keeps:
 *
 * 1. How the text was cut never matters.
 * 2. Cost is linear, also for one endless line: a leaf's long text is cut into `parts`, at places
 *    that the text alone decides, and finished parts never change.
 * 3. No text is lost, and nothing grows without a limit: containers nest 24 deep, then they are text.
 *
 * What it does not do: HTML (it is text), link references, footnotes; code by indentation and
 * headings by underlines, which in a model's answer are accidents.
 */

import { parseInline, work } from "./inline.js";

/** @typedef {{type: string, done: boolean, children: Block[], parts: string[], text: string}} Block */

const MAX_NESTING = 24;
const LONG_LINE = 2000; // the beginning of such a line decides; the rest goes where it went
const PART = 1000; // characters of a paragraph; up to four times as many where a mark is open
const CODE_PART = 2000;
const MAX_CODE_PART = 16000; // where it has no line end

const HEADING = /^ {0,3}(#{1,6})(?: +|$)(.*)$/;
const RULE = /^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$/;
const FENCE = /^( {0,3})(?:(`{3,})([^`]*)|(~{3,})(.*))$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-+*]|(\d{1,9})([.)]))(?:( +)(.*))?$/;
const TASK = /^\[([ xX])\] +/;
const ALIGNMENTS = /^ {0,3}\|?(?: *:?-+:? *\|)+(?: *:?-+:? *)?$|^ {0,3}\| *:?-+:? *$/;
// An unfinished line of marks only may become anything: it is not looked at yet.
const UNDECIDED = /^ *(?:[-=*_+#>|`~:. ]*|\d{1,9}[.)]) *$/;

const isContainer = ({ type }) => ["document", "quote", "list", "item"].includes(type);
const isBlank = (line) => !/[^ ]/.test(line);
const indentOf = (line) => line.search(/[^ ]|$/);

export class MarkdownParser {
  /** @type {Block} */
  document = block("document");
  #line = ""; // without its end yet
  #isLong = false; // the beginning of the line has been read already
  #isLook = false;
  #isBlankBefore = false;

  /** @param {string} text cut anywhere; the rest of the last line stays undecided */
  append(text) {
    // A CR is no text; without it every line ends in LF, however CR LF was cut.
    const rest = this.#line + text.replaceAll("\r", "");
    let at = 0;
    for (;;) {
      const end = rest.indexOf("\n", at);
      const stop = end < 0 ? rest.length : end;
      if (this.#isLong) {
        this.#extendLeaf(rest.slice(at, stop));
        if (end >= 0) this.#endLongLine();
      } else if (stop - at >= LONG_LINE) {
        this.#isLong = this.#receiveLine(rest.slice(at, at + LONG_LINE), true);
        at += LONG_LINE;
        continue;
      } else if (end >= 0) this.#receiveLine(rest.slice(at, end));
      else break;
      at = stop + 1;
      if (end < 0) break;
    }
    this.#line = rest.slice(at);
  }

  /** Calls `show` while the document is as if the unfinished line were a whole one. */
  look(show) {
    if (this.#line === "" || UNDECIDED.test(this.#line)) return void show();
    const saved = this.#openPath().map((node) => ({ node, copy: { ...node }, sizes: sizesOf(node) }));
    const isBlankBefore = this.#isBlankBefore;
    this.#isLook = true;
    this.#receiveLine(this.#line);
    show();
    this.#isLook = false;
    this.#isBlankBefore = isBlankBefore;
    for (const { node, copy, sizes } of saved) {
      Object.assign(node, copy);
      [node.children.length, node.parts.length] = sizes;
    }
  }

  /** No text comes any more. */
  end() {
    if (this.#isLong) this.#endLongLine();
    else if (this.#line !== "") this.#receiveLine(this.#line);
    this.#line = "";
    this.#close(this.document);
  }

  /** The document, its last child if that is open, that one's last child, … */
  #openPath() {
    const path = [this.document];
    for (let node; (node = path.at(-1).children.at(-1)) && node.isOpen; ) path.push(node);
    return path;
  }

  // ---- One line. Returns whether the rest of a long one goes to the same leaf.

  #receiveLine(line, isLong = false) {
    work.characters += line.length;
    const open = this.#openPath();
    const path = [this.document];
    let rest = expandTabs(line);
    // "iterate through the open blocks [...] checking [...] whether the line continues"
    while (path.length < open.length && isContainer(open[path.length])) {
      const continued = continueContainer(open[path.length], rest);
      if (continued === null) break;
      rest = expandTabs(continued);
      path.push(open[path.length]);
    }
    let leaf = open[path.length];
    if (leaf && isContainer(leaf)) leaf = undefined;
    if (leaf?.type === "code") return this.#continueCode(leaf, rest, isLong);

    if (isBlank(rest)) {
      this.#isBlankBefore = true;
      // "a paragraph's [...] blank line"; a list may go on after it
      if (open[path.length]) this.#close(open[path.length]);
      return false;
    }
    const last = open.at(-1);
    const lazy = path.length < open.length && !leaf && last.type === "paragraph" ? last : undefined;
    for (let started; (started = this.#startContainer(path, rest, leaf ?? lazy)) !== null; ) {
      rest = started;
      leaf = undefined;
      if (isBlank(rest)) return false;
    }
    const isInLists = path.length <= open.length && path.every((node, index) => node === open[index]);
    const into = this.#receiveText(path, rest, leaf, isInLists ? lazy : undefined, isLong);
    this.#isBlankBefore = false;
    return isLong && into;
  }

  /** Returns what is left of the line after the mark of a container that begins, or null. */
  #startContainer(path, rest, leaf) {
    if (path.length > MAX_NESTING || indentOf(rest) > 3) return null;
    const quote = QUOTE.exec(rest);
    if (quote) {
      this.#add(path, block("quote"));
      return expandTabs(rest.slice(quote[0].length));
    }
    if (RULE.test(rest)) return null;
    const match = ITEM.exec(rest);
    if (!match) return null;
    const [, indent, mark, number = "", sign, space = "", content = ""] = match;
    // "In order for a list item to interrupt a paragraph, it must not be empty", or begin at 2
    const isBeside = path.at(-1).type === "list";
    const interrupts = leaf?.type === "paragraph" && !isBeside;
    if (interrupts && (isBlank(content) || (number && number !== "1"))) return null;
    const kind = sign ?? mark;
    if (path.at(-1).type !== "list" || path.at(-1).kind !== kind) {
      this.#add(path, block("list", { kind, start: number && Number(number), isLoose: false }));
    } else path.at(-1).isLoose ||= this.#isBlankBefore;
    const padding = space.length > 4 || isBlank(content) ? 1 : space.length;
    const task = TASK.exec(content);
    this.#add(path, block("item", {
      width: indent.length + mark.length + padding,
      task: task ? (task[1] === " " ? "todo" : "done") : "",
    }));
    this.#isBlankBefore = false;
    return expandTabs(task ? content.slice(task[0].length) : content);
  }

  #receiveText(path, rest, leaf, lazy, isLong) {
    let match;
    if (leaf?.type === "paragraph" && ALIGNMENTS.test(rest) && this.#startTable(path, leaf, rest)) {
      return false;
    }
    if ((match = HEADING.exec(rest))) {
      const heading = this.#add(path, block("heading", { level: match[1].length }));
      heading.text = isLong ? match[2] : match[2].replace(/(?:^| +)#* *$/, "");
      if (!isLong) this.#close(heading);
      return true;
    }
    if (RULE.test(rest)) return this.#close(this.#add(path, block("rule")));
    if ((match = FENCE.exec(rest))) {
      const fence = match[2] ?? match[4];
      const language = /^\S*/.exec((match[3] ?? match[5]).trim())[0];
      this.#add(path, block("code", { language, fence, indent: match[1].length }));
      return false;
    }
    if (leaf?.type === "table") return this.#addRow(leaf, rest);
    const paragraph = leaf ?? lazy ?? this.#add(path, block("paragraph"));
    paragraph.text += (paragraph.text || paragraph.parts.length ? "\n" : "") + rest.trimStart();
    cutText(paragraph);
    return true;
  }

  #continueCode(leaf, rest, isLong) {
    const mark = rest.trim();
    const isEnd = mark.startsWith(leaf.fence) && !mark.replaceAll(leaf.fence[0], "");
    if (isEnd && indentOf(rest) < 4) return this.#close(leaf);
    leaf.text += rest.slice(Math.min(indentOf(rest), leaf.indent)) + (isLong ? "" : "\n");
    cutCode(leaf);
    return isLong;
  }

  // "The delimiter row"; the row above it is the paragraph's last line
  #startTable(path, paragraph, rest) {
    const start = paragraph.text.lastIndexOf("\n") + 1;
    const head = cellsOf(paragraph.text.slice(start));
    const align = cellsOf(rest).map((cell) =>
      cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "end") : "",
    );
    if (head.length !== align.length || (start === 0 && paragraph.parts.length)) return false;
    if (start > 0) {
      paragraph.text = paragraph.text.slice(0, start - 1);
      path.at(-1).children.at(-1) === paragraph && this.#close(paragraph);
      this.#addRow(this.#add(path, block("table", { align })), head);
    } else {
      Object.assign(paragraph, { type: "table", align, text: "" });
      this.#addRow(paragraph, head);
    }
    return true;
  }

  #addRow(table, cells) {
    const texts = typeof cells === "string" ? cellsOf(cells) : cells;
    while (texts.length < table.align.length) texts.push("");
    const row = block("row", { isHead: table.children.length === 0 });
    row.children = texts.map((text, index) => block("cell", { text, isHead: row.isHead, align: table.align[index] ?? "" }));
    table.children.push(row);
    this.#close(row);
    return false;
  }

  // ---- The tree

  /** Adds a block to the deepest container of the path, and closes what was open there. */
  #add(path, added) {
    while (path.at(-1).type === "list" && added.type !== "item") path.pop();
    const parent = path.at(-1);
    const before = parent.children.at(-1);
    if (before?.isOpen) this.#close(before);
    // A list is loose if a blank line is between two blocks of an item.
    if (parent.type === "item" && before && this.#isBlankBefore) path.at(-2).isLoose = true;
    parent.children.push(added);
    if (isContainer(added)) path.push(added);
    return added;
  }

  #close(node) {
    const last = node.children.at(-1);
    if (last?.isOpen) this.#close(last);
    node.isOpen = false;
    if (node.type === "row") for (const cell of node.children) cell.isOpen = false;
    // What a look closes is open again after it.
    node.done = !this.#isLook;
  }

  #extendLeaf(text) {
    const leaf = this.#openPath().at(-1);
    leaf.text += text;
    work.characters += text.length;
    if (leaf.type === "code") cutCode(leaf);
    else cutText(leaf);
  }

  #endLongLine() {
    this.#isLong = false;
    const leaf = this.#openPath().at(-1);
    if (leaf.type === "code") this.#extendLeaf("\n");
    if (leaf.type === "heading") this.#close(leaf);
  }
}

function block(type, more = {}) {
  return { type, children: [], parts: [], text: "", tried: 0, isOpen: true, done: false, ...more };
}

const sizesOf = (node) => [node.children.length, node.parts.length];

/** Returns what is left of the line after a container's mark, or null if it does not go on. */
function continueContainer(node, line) {
  if (node.type === "list") return line;
  if (node.type === "quote") {
    const mark = QUOTE.exec(line);
    return mark && line.slice(mark[0].length);
  }
  if (isBlank(line)) return node.children.length ? "" : null;
  return indentOf(line) >= node.width ? line.slice(node.width) : null;
}

/** Where nothing is open, text that comes later cannot change what is before: there it is cut. */
function cutText(leaf) {
  for (;;) {
    const cut = findCut(leaf);
    if (!cut) return;
    leaf.parts.push(leaf.text.slice(0, cut));
    leaf.text = leaf.text.slice(cut);
    leaf.tried = 0;
  }
}

function findCut(leaf) {
  for (; leaf.tried < 3; leaf.tried += 1) {
    const from = PART * (leaf.tried + 1);
    if (leaf.text.length <= from) return 0;
    const place = leaf.text.slice(from, 4 * PART).search(/[^ \n][ \n](?=[^ \n])|[。！？；，、](?=.)/);
    if (place < 0) break;
    const cut = from + place + (/[ \n]/.test(leaf.text[from + place + 1]) ? 2 : 1);
    if (!parseInline(leaf.text.slice(0, cut)).isOpen) return cut;
  }
  if (leaf.text.length <= 4 * PART) return 0;
  return 4 * PART - (/[\ud800-\udbff]/.test(leaf.text[4 * PART - 1]) ? 1 : 0);
}

function cutCode(leaf) {
  for (;;) {
    const end = leaf.text.indexOf("\n", CODE_PART) + 1;
    const cut = end > 0 && end <= MAX_CODE_PART ? end : leaf.text.length > MAX_CODE_PART ? MAX_CODE_PART : 0;
    if (!cut) return;
    leaf.parts.push(leaf.text.slice(0, cut));
    leaf.text = leaf.text.slice(cut);
  }
}

function cellsOf(row) {
  const cells = row.trim().replace(/^\|/, "").match(/(?:\\.|[^\\|])*(?:\||$)/gs);
  const texts = cells.map((cell) => cell.replace(/\|$/, "").trim().replaceAll("\\|", "|"));
  if (texts.at(-1) === "") texts.pop(); // the end after the last |
  return texts;
}

/** Tabs before the text, "as if they were replaced by spaces with a tab stop of 4 characters". */
function expandTabs(line) {
  const before = /^[ \t]*/.exec(line)[0];
  if (!before.includes("\t")) return line;
  let spaces = "";
  for (const char of before) spaces += char === "\t" ? " ".repeat(4 - (spaces.length % 4)) : " ";
  return spaces + line.slice(before.length);
}
