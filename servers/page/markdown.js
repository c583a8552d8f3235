/*
 * Markdown, block by block, as its text arrives. It becomes a tree of plain objects:
 *
 *     - **one**     list > item > paragraph > part "**one**"
 *     - two              > item > paragraph > part "two"
 *
 * CommonMark 0.31 §4 and §5, with GitHub's tables and task lists. A line is read once, when its end
 * is there; the unfinished last one is read for a look, and then what it did is undone. How the text
 * was cut never matters, and cost is linear, also for one endless line: text is held in `part`s, cut
 * where the text alone decides, and only the last grows.
 *
 * What it does not do: HTML (it is text), references, footnotes; code by indentation and headings by
 * underlines, which in a model's answer are accidents.
 */

import { work } from "./inline.js";

const MAX_NESTING = 24;
const LONG_LINE = 2000; // its beginning says what it is, the rest follows it
const PART = 2000;
const MAX_PART = 3000; // where nothing to cut at comes

const HEADING = /^ {0,3}(#{1,6})(?: +|$)(.*)$/;
const RULE = /^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$/;
const FENCE = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-+*]|(\d{1,9})[.)])( +|$)(.*)$/;
const TASK = /^\[([ xX])\] +/;
const DELIMITERS = /^ {0,3}\|? *:?-+:? *(?:\| *:?-+:? *)*\|? *$/;
// An unfinished line of marks may become anything: it is not looked at yet.
const UNDECIDED = /^(?:[-=*_+#>|`~:. ]*|\d{1,9}[.)]) *$/;

const ALIGN = { truetrue: "center", falsetrue: "end" };
const CONTAINERS = ["document", "quote", "list", "item"];
const isContainer = ({ type }) => CONTAINERS.includes(type);
const isBlank = (line) => !/[^ ]/.test(line);
const indentOf = (line) => line.search(/[^ ]|$/);

export class MarkdownParser {
  document = block("document");
  #line = ""; // without its end yet
  #isLong = false; // the beginning of the line has been read
  #isLook = false;
  #afterBlank = false;

  /** @param {string} text cut anywhere */
  append(text) {
    // Without CR every line ends in LF, however CR LF was cut.
    const rest = this.#line + text.replaceAll("\r", "");
    let at = 0;
    for (;;) {
      const end = rest.indexOf("\n", at);
      const stop = end < 0 ? rest.length : end;
      if (this.#isLong) {
        this.#write(this.#openLeaf(), rest.slice(at, stop));
        at = stop;
        if (end < 0) break;
        this.#endLongLine();
      } else if (stop - at > LONG_LINE) {
        this.#isLong = this.#readLine(rest.slice(at, (at += LONG_LINE)), "");
        continue;
      } else if (end < 0) break;
      else this.#readLine(rest.slice(at, end));
      at = end + 1;
    }
    this.#line = rest.slice(at);
  }

  /** Calls `show` as if the unfinished line were a whole one. */
  look(show) {
    if (UNDECIDED.test(this.#line.trim())) return show();
    const saved = this.#openPath().map((node) => [node, { ...node }, node.children.length]);
    const afterBlank = this.#afterBlank;
    this.#isLook = true;
    this.#readLine(this.#line);
    show();
    this.#isLook = false;
    this.#afterBlank = afterBlank;
    for (const [node, copy, length] of saved) {
      Object.assign(node, copy);
      node.children.length = length;
    }
  }

  end() {
    if (this.#isLong) this.#endLongLine();
    else if (this.#line) this.#readLine(this.#line);
    this.#line = "";
    this.#close(this.document);
  }

  /** The document, its last child if that is open, that one's last child, … */
  #openPath() {
    const path = [this.document];
    for (let node; (node = path.at(-1).children.at(-1))?.isOpen; ) path.push(node);
    return path;
  }

  #openLeaf() {
    return this.#openPath().find((node) => !isContainer(node));
  }

  /** Returns whether a leaf is open to which more of the same line can go. */
  #readLine(line, lineEnd = "\n") {
    work.characters += line.length;
    const open = this.#openPath();
    const path = [this.document];
    let rest = expandTabs(line);
    for (let node; (node = open[path.length]) && isContainer(node); path.push(node)) {
      const continued = continueContainer(node, rest);
      if (continued === null) break;
      rest = expandTabs(continued);
    }
    const next = open[path.length];
    let leaf = next && !isContainer(next) ? next : null;
    if (leaf?.type === "code") return this.#readCode(leaf, rest, lineEnd);
    if (isBlank(rest)) {
      this.#afterBlank = true;
      if (next) this.#close(next);
      return false;
    }
    // "laziness": a paragraph goes on without its containers' marks
    let lazy = leaf ? null : open.find(({ type }) => type === "paragraph");
    for (let inside; (inside = this.#startContainer(path, rest, leaf)) !== null; ) {
      rest = inside;
      leaf = lazy = null;
      if (isBlank(rest)) return false;
    }
    const isOpen = this.#readText(path, rest, leaf, lazy, lineEnd);
    this.#afterBlank = false;
    return isOpen;
  }

  /** Begins a quotation or an item; returns what is left of the line, or null. */
  #startContainer(path, rest, leaf) {
    if (path.length > MAX_NESTING) return null;
    const quote = QUOTE.exec(rest);
    if (quote) {
      this.#add(path, block("quote"));
      return expandTabs(rest.slice(quote[0].length));
    }
    const item = RULE.test(rest) ? null : ITEM.exec(rest);
    if (!item) return null;
    const [, indent, mark, number = "", space, content] = item;
    // "In order for a list item to interrupt a paragraph, it must not be empty", and begin at 1.
    if (leaf?.type === "paragraph" && (!content || (number && number !== "1"))) return null;
    const list = path.at(-1);
    if (list.kind === mark.at(-1)) list.isLoose ||= this.#afterBlank;
    else this.#add(path, block("list", { kind: mark.at(-1), start: number, isLoose: false }));
    const task = TASK.exec(content);
    const padding = content && space.length < 5 ? space.length : 1;
    this.#add(path, block("item", {
      width: indent.length + mark.length + padding,
      task: task ? (task[1] === " " ? "todo" : "done") : "",
    }));
    this.#afterBlank = false;
    return expandTabs(content.slice(task?.[0].length));
  }

  #readText(path, rest, leaf, lazy, lineEnd) {
    let match;
    if (leaf?.type === "paragraph" && DELIMITERS.test(rest) && this.#startTable(path, leaf, rest)) {
      return false;
    }
    if ((match = HEADING.exec(rest))) {
      const heading = this.#add(path, block("heading", { level: match[1].length }));
      // In steps: one pattern takes cubic time.
      const text = match[2].trimEnd().replace(/(?:^| )#*$/, "").trimEnd();
      this.#write(heading, lineEnd ? text : match[2]);
      if (lineEnd) this.#close(heading);
      return true;
    }
    if (RULE.test(rest)) return this.#close(this.#add(path, block("rule")));
    if ((match = FENCE.exec(rest))) {
      const [, indent, fence, info] = match;
      const language = info.trim().split(" ")[0];
      this.#add(path, block("code", { language, fence, indent: indent.length }));
      return false;
    }
    if (leaf?.type === "table") return this.#addRow(leaf, cellsOf(rest));
    const paragraph = leaf ?? lazy ?? this.#add(path, block("paragraph"));
    this.#write(paragraph, (paragraph.children.length ? "\n" : "") + rest.trimStart());
    return true;
  }

  #readCode(code, rest, lineEnd) {
    const mark = rest.trim();
    const isEnd = mark.startsWith(code.fence) && !mark.replaceAll(code.fence[0], "");
    if (isEnd && indentOf(rest) < 4) return this.#close(code);
    this.#write(code, rest.slice(Math.min(indentOf(rest), code.indent)) + lineEnd);
    return true;
  }

  /** The row of dashes is there: the line before it, a paragraph until now, is the head. */
  #startTable(path, paragraph, rest) {
    const part = paragraph.children.at(-1);
    const start = part.text.lastIndexOf("\n") + 1;
    const head = cellsOf(part.text.slice(start));
    const align = cellsOf(rest).map((cell) => ALIGN[`${cell[0] === ":"}${cell.endsWith(":")}`] ?? "");
    if (head.length !== align.length || (head.length < 2 && !rest.includes("|"))) return false;
    part.text = part.text.slice(0, Math.max(0, start - 1));
    if (!part.text && paragraph.children.length === 1) path.at(-1).children.pop();
    this.#addRow(this.#add(path, block("table", { align })), head);
    return true;
  }

  #addRow(table, texts) {
    const isHead = table.children.length === 0;
    while (texts.length < table.align.length) texts.push("");
    const row = block("row");
    for (const [index, text] of texts.entries()) {
      row.children.push(block("cell", { isHead, align: table.align[index] ?? "" }));
      this.#write(row.children.at(-1), text);
    }
    table.children.push(row);
    return this.#close(row);
  }

  /** Adds a block to the deepest container of the path, and closes what is open there. */
  #add(path, added) {
    while (path.at(-1).type === "list" && added.type !== "item") path.pop();
    const parent = path.at(-1);
    const before = parent.children.at(-1);
    if (before?.isOpen) this.#close(before);
    // "A list is loose if any [...] items are separated by blank lines", or two blocks of one.
    if (parent.type === "item" && before && this.#afterBlank) path.at(-2).isLoose = true;
    parent.children.push(added);
    if (isContainer(added)) path.push(added);
    return added;
  }

  #close(node) {
    for (const child of node.children.slice(-1)) if (child.isOpen) this.#close(child);
    node.isOpen = false;
    node.done = !this.#isLook; // what a look closes is open again after it
    return false;
  }

  /** Adds to a leaf's text. A part ends behind the first space, or line of code, after `PART`. */
  #write(leaf, text) {
    for (let rest = text, part; rest || !part; ) {
      part = leaf.children.at(-1);
      if (!part?.isOpen) leaf.children.push((part = block("part", { text: "" })));
      const whole = part.text + rest;
      const from = Math.max(PART, part.text.length);
      const place = whole.slice(from, MAX_PART).search(leaf.type === "code" ? /\n/ : /\s/) + 1;
      const end = place ? from + place : MAX_PART;
      part.text = whole.slice(0, end);
      rest = whole.slice(end);
      if (place || rest) this.#close(part);
    }
  }

  #endLongLine() {
    this.#isLong = false;
    const leaf = this.#openLeaf();
    if (leaf.type === "code") this.#write(leaf, "\n");
    if (leaf.type === "heading") this.#close(leaf);
  }
}

function block(type, more) {
  return { type, children: [], isOpen: true, done: false, ...more };
}

/** What is left of a line behind a container's mark; null without it. */
function continueContainer(node, line) {
  if (node.type === "list") return line;
  if (node.type === "quote") return QUOTE.test(line) ? line.replace(QUOTE, "") : null;
  if (isBlank(line)) return node.children.length ? "" : null;
  return indentOf(line) < node.width ? null : line.slice(node.width);
}

function cellsOf(row) {
  const cells = row.trim().replace(/^\|/, "").match(/(?:\\.|[^\\|])+(?=\||$)|(?<=^|\|)(?=\|)/g) ?? [];
  return cells.map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** Tabs in front: "a tab stop of 4 characters". */
function expandTabs(line) {
  return line.replace(/^ *\t[ \t]*/, (space) => {
    let width = 0;
    for (const char of space) width += char === "\t" ? 4 - (width % 4) : 1;
    return " ".repeat(width);
  });
}
