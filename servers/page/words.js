/* Every word the page says. The English of index.html's elements stands there, by data-word. */

const english = {
  you: "You",
  model: "Model",
  copy: "Copy",
  copied: "Copied",
  again: "Again",
  remove: "Delete",
  thinking: "Thinking…",
  thought: (seconds) => `Thought for ${seconds} s`,
  firstToken: (seconds) => `${seconds} s to first token`,
  tokens: (count) => (count === 1 ? "1 token" : `${count} tokens`),
  rate: (rate) => `${rate} tokens/s`,
  silence: (seconds) => `nothing came for ${seconds} s`,
  connections: ". A browser opens six connections to a server: other tabs may hold them",
  answering: "The model is answering",
  complete: "Answer complete",
  stopped: "stopped by you",
  cut: "cut off",
  length: "length limit",
  otherEnd: (reason) => `ended: ${reason}`,
  error: (message) => `error: ${message}`,
  noReply: (server) => `no reply from ${server || location.origin}`,
};

const chinese = {
  you: "你",
  model: "模型",
  copy: "复制",
  copied: "已复制",
  again: "重新回答",
  remove: "删除",
  thinking: "思考中…",
  thought: (seconds) => `思考了 ${seconds} 秒`,
  firstToken: (seconds) => `首个 token ${seconds} 秒`,
  tokens: (count) => `${count} 个 token`,
  rate: (rate) => `${rate} token/秒`,
  silence: (seconds) => `已有 ${seconds} 秒没有收到任何内容`,
  connections: "。浏览器对一个服务器最多打开六个连接：可能都被其他标签页占用",
  answering: "模型正在回答",
  complete: "回答完毕",
  stopped: "已被你停止",
  cut: "连接中断",
  length: "达到长度上限",
  otherEnd: (reason) => `结束：${reason}`,
  error: (message) => `错误：${message}`,
  noReply: (server) => `${server || location.origin} 没有回应`,
};

const chinesePage = {
  title: "看见每一个 token",
  lead: "这里的回答来自一个模拟模型：它先思考，然后 token 逐个到达。",
  label: "你的消息",
  send: "发送",
  halt: "停止",
  pill: "↓ 新内容",
  new: "新对话",
  history: "历史",
  empty: "还没有对话。它们只保存在这个浏览器里。",
  settings: "设置",
  server: "服务器",
  simulated: "模拟模型",
  proxy: "OpenAI 代理（端口 8005）",
  model: "模型",
  pace: "速度",
  asStarted: "与服务器启动时相同",
  fault: "线路故障",
  system: "系统提示词",
  close: "完成",
  keys: "快捷键",
  line: "换行",
};

export const isChinese = navigator.language.toLowerCase().startsWith("zh");

export const words = isChinese ? chinese : english;
export const page = isChinese ? chinesePage : {};
