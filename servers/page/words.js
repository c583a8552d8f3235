/*
 * Every word the page says. `page` has the Chinese for index.html's elements, by data-word; their
 * English stands there.
 */

const english = {
  you: "You",
  model: "Model",
  thinking: "Thinking…",
  thought: (seconds) => `Thought for ${seconds} s`,
  firstToken: (seconds) => `${seconds} s to first token`,
  tokens: (count) => (count === 1 ? "1 token" : `${count} tokens`),
  rate: (rate) => `${rate} tokens/s`,
  answering: "The model is answering",
  complete: "Answer complete",
  stopped: "stopped by you",
  cut: "cut off",
  length: "length limit",
  otherEnd: (reason) => `ended: ${reason}`,
  error: (message) => `error: ${message}`,
};

const chinese = {
  you: "你",
  model: "模型",
  thinking: "思考中…",
  thought: (seconds) => `思考了 ${seconds} 秒`,
  firstToken: (seconds) => `首个 token ${seconds} 秒`,
  tokens: (count) => `${count} 个 token`,
  rate: (rate) => `${rate} token/秒`,
  answering: "模型正在回答",
  complete: "回答完毕",
  stopped: "已被你停止",
  cut: "连接中断",
  length: "达到长度上限",
  otherEnd: (reason) => `结束：${reason}`,
  error: (message) => `错误：${message}`,
};

const chinesePage = {
  title: "看见每一个 token",
  lead: "这里的回答来自一个模拟模型：先思考，再逐个 token 抵达。",
  label: "你的消息",
  send: "发送",
  halt: "停止",
};

const isChinese = navigator.language.toLowerCase().startsWith("zh");

export const words = isChinese ? chinese : english;
export const page = isChinese ? chinesePage : {};

// ---- The wire pane

const number = new Intl.NumberFormat(isChinese ? "zh-CN" : "en").format;
const ms = (time) => `${number(Math.round(time))} ms`;

const englishWire = {
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

const chineseWire = {
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

export const wire = isChinese ? chineseWire : englishWire;
