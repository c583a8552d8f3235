// Node's own http module: an async function for each answer, `res.write` for each event.

import http from "node:http";
import { randomUUID } from "node:crypto";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { ttft: { type: "string" }, itl: { type: "string" } } });
const ttft = 1000 * Number(values.ttft ?? 0.2);
const itl = 1000 * Number(values.itl ?? 0.03);

const WORDS = [" Lorem", " ipsum", " dolor", " sit", " amet,", " 流", "式", "输出", " consectetur", " 🌊"];

const server = http.createServer(async (req, res) => {
  let body = "";
  req.setEncoding("utf8");
  for await (const piece of req) body += piece;
  const { model, max_tokens, stream } = JSON.parse(body);
  const id = `chatcmpl-${randomUUID().replaceAll("-", "").slice(0, 24)}`;
  const created = Math.floor(Date.now() / 1000);
  if (!stream) {
    const wait = ttft + itl * Math.max(max_tokens - 1, 0);
    if (wait) await sleep(wait);
    const content = Array.from({ length: max_tokens }, (_, k) => WORDS[k % WORDS.length]).join("");
    const message = { role: "assistant", content, refusal: null };
    const whole = JSON.stringify({
      id,
      object: "chat.completion",
      created,
      model,
      choices: [{ index: 0, message, logprobs: null, finish_reason: "stop" }],
      usage: {
        prompt_tokens: 1,
        completion_tokens: max_tokens,
        total_tokens: max_tokens + 1,
        completion_tokens_details: { reasoning_tokens: 0 },
      },
      system_fingerprint: "fp_sim_1",
    });
    const headers = { "Content-Type": "application/json", "x-request-id": `req_${randomUUID()}` };
    res.writeHead(200, { ...headers, "Content-Length": Buffer.byteLength(whole) });
    res.end(whole);
    return;
  }
  const event = (delta, finish_reason = null) =>
    `data: ${JSON.stringify({
      id,
      object: "chat.completion.chunk",
      created,
      model,
      system_fingerprint: "fp_sim_1",
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    })}\n\n`;

  let left = false;
  res.on("close", () => (left = true));
  res.writeHead(200, {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
    "x-request-id": `req_${randomUUID()}`,
  });
  let due = performance.now() + ttft;
  res.write(event({ role: "assistant", content: "", refusal: null }));
  for (let k = 0; k < max_tokens && !left; k++) {
    const wait = due - performance.now();
    await (wait > 0 ? sleep(wait) : turn());
    const taken = res.write(event({ content: WORDS[k % WORDS.length] }));
    if (!taken && !left) await new Promise((resume) => res.once("drain", resume).once("close", resume));
    due += itl;
  }
  res.write(event({}, "stop"));
  res.write("data: [DONE]\n\n");
  res.end();
});

server.listen({ port: 0, host: "127.0.0.1", backlog: 2048 }, () => {
  console.log(`listens on http://127.0.0.1:${server.address().port}/`);
});
