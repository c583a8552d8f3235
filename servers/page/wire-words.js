/*
 * Every word the wire pane says, in English and in Chinese.
 */

import { isChinese } from "./words.js";

const number = new Intl.NumberFormat(isChinese ? "zh-CN" : "en").format;
const ms = (time) => `${number(Math.round(time))} ms`;

const english = {
  title: "The wire",
  sends: "What the server sent, write by write",
  head: "HTTP head",
  chunk: "chunked coding",
  sse: "event stream",
  json: "JSON",
  text: "text",
  beat: "♥ comment",
  bad: "unreadable",
  save: "Export as JSON lines",
  page: "page",
  failure: "no recording",
  first: "first token",
  bytes: (count) => `${number(count)} B`,
  cost: (text, size) =>
    `${number(text)} bytes of text cost ${number(size)} on the wire (×${number(Math.round(size / text))})`,
  counts: (total) =>
    `${number(total.sends)} sends · ${number(total.chunks)} chunks · ` +
    `${number(total.events)} events · ${number(total.tokens)} tokens`,
  place: (offset, size) => `byte ${number(offset)}, ${number(size)} B`,
  read: (first, last, at) =>
    `${first === last ? `read ${first}` : `reads ${first}–${last}`} at ${at.toFixed(1)} ms`,
  gaps: (sent, received, first, end) =>
    `Gaps ↑ sent, at most ${ms(sent)} · ↓ received, at most ${ms(received)} · ` +
    `¦ first token ${ms(first)} · → ${ms(end)}`,
  folded: (count) => `${number(count)} earlier sends are folded away, the export has them`,
  missing: (count) => `${number(count)} sends are missing: the server keeps a limited number`,
  done: (how, at) => `server: ${how}, ${ms(at)}`,
};

const chinese = {
  title: "线路",
  sends: "服务器的每次写出",
  head: "HTTP 头部",
  chunk: "分块编码",
  sse: "事件流",
  json: "JSON",
  text: "文本",
  beat: "♥ 注释",
  bad: "无法解读",
  save: "导出为 JSON Lines",
  page: "页面",
  failure: "没有记录",
  first: "首个 token",
  bytes: (count) => `${number(count)} B`,
  cost: (text, size) =>
    `${number(text)} 字节的文本在线路上花费 ${number(size)} 字节（×${number(Math.round(size / text))}）`,
  counts: (total) =>
    `${number(total.sends)} 次发送 · ${number(total.chunks)} 个分块 · ` +
    `${number(total.events)} 个事件 · ${number(total.tokens)} 个 token`,
  place: (offset, size) => `第 ${number(offset)} 字节起 ${number(size)} B`,
  read: (first, last, at) => `读取 ${first === last ? first : `${first}–${last}`}，${at.toFixed(1)} ms`,
  gaps: (sent, received, first, end) =>
    `间隔 ↑ 发送，最大 ${ms(sent)} · ↓ 接收，最大 ${ms(received)} · ¦ 首个 token ${ms(first)} · → ${ms(end)}`,
  folded: (count) => `较早的 ${number(count)} 次发送已折叠，导出文件中有`,
  missing: (count) => `缺少 ${number(count)} 次发送：服务器保留的数量有限`,
  done: (how, at) => `服务器: ${how}, ${ms(at)}`,
};

export const words = isChinese ? chinese : english;
