/*
 * Every word the page says. `page` has the Chinese for index.html's elements, by data-word; their
 * English stands there.
 */

const english = {
  you: "You",
  model: "Model",
  copy: "Copy",
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
  copy: "复制",
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
