/*
 * Writes what the chat page shows as CommonMark's examples write it:
 *
 *     <ul><li><p dir="auto"><span>a</span></p></li></ul>    ->    <ul><li>a</li></ul>
 *     <div class="code">…<pre …><code>b                     ->    <pre><code class="language-py">b
 *
 * Newlines beside a block's tags are left out on both sides, because HTML ignores them.
 */

import { FakeElement } from "./page_modules.mjs";

const BLOCK = /\n*(<\/?(?:p|h\d|ul|ol|li|blockquote|hr|pre|table|thead|tbody|tr|th|td)\b[^>]*>)\n*/g;

/** The expected HTML of an example, without what makes no difference. */
export const specified = (html) => html.replace(BLOCK, "$1").replaceAll("<br />\n", "<br />");

const escaped = (text) =>
  text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);
// Browsers encode an address when they open it; the examples encode it in the HTML.
const encoded = (href) => encodeURI(href).replace(/%25(?=[0-9a-f]{2})/gi, "%");

/** The page's elements in the form of the examples. */
export const shown = (root) => specified(inside(root, {}));

const inside = (node, context) => node.childNodes.map((child) => html(child, context)).join("");

function html(node, context) {
  if (!(node instanceof FakeElement)) return escaped(node.data);
  const { tag, attributes } = node;
  const { className = "", href, start, title } = attributes;
  const content = () => inside(node, context);
  switch (tag) {
    case "span": // a part of a long text
    case "b": // colours of code
    case "i":
    case "u":
      return content();
    case "br":
    case "hr":
      return `<${tag} />`;
    case "a": {
      const tooltip = title ? ` title="${escaped(title)}"` : "";
      return `<a href="${escaped(encoded(href))}"${tooltip}>${content()}</a>`;
    }
    case "div": {
      if (className === "table") return table(node.childNodes[0], context);
      if (className !== "code") return content();
      const [bar, pre] = node.childNodes;
      const language = bar.childNodes[0].data;
      const info = language ? ` class="language-${escaped(language)}"` : "";
      return `<pre><code${info}>${inside(pre.childNodes[0], context)}</code></pre>`;
    }
    case "ul":
    case "ol": {
      const first = start && start !== "1" ? ` start="${start}"` : "";
      return `<${tag}${first}>${inside(node, { isTight: className !== "loose" })}</${tag}>`;
    }
    case "li": {
      const checked = { todo: "", done: 'checked="" ' }[className];
      const box = checked === undefined ? "" : `<input ${checked}disabled="" type="checkbox"> `;
      return `<li>${box}${content()}</li>`;
    }
    case "blockquote":
      return `<blockquote>${inside(node, {})}</blockquote>`;
    case "p":
      return context.isTight ? content() : `<p>${content()}</p>`;
    case "th":
    case "td": {
      const align = { center: "center", end: "right" }[className];
      return `<${tag}${align ? ` align="${align}"` : ""}>${content()}</${tag}>`;
    }
    default:
      return `<${tag}>${content()}</${tag}>`;
  }
}

function table({ childNodes: [head, ...rows] }, context) {
  const body = rows.map((row) => html(row, context)).join("");
  return `<table><thead>${html(head, context)}</thead>${body && `<tbody>${body}</tbody>`}</table>`;
}
