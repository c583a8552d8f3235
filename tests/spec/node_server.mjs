// A careful streaming server on Node's http: what it fails, Node's own parser or writer fails.
//
//     node node_server.mjs --ttft 0.5 --itl 0.05        prints its address

import { createServer } from "node:http";

const flag = (name) => 1000 * Number(process.argv[process.argv.indexOf(name) + 1]);
const [first, gap] = [flag("--ttft"), flag("--itl")];
const ENVELOPE = "x".repeat(160); // so that an event is as long as one of the API

function stream(response, count) {
  response.writeHead(200, {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
  });
  response.flushHeaders();
  let sent = 0;
  const next = () => {
    const event = { id: ENVELOPE, text: `${sent} 你好` };
    const mayGoOn = response.write(`data: ${JSON.stringify(event)}\n\n`);
    sent += 1;
    if (sent === count) {
      response.end();
    } else if (mayGoOn) {
      timer = setTimeout(next, gap);
    } else {
      response.once("drain", next);
    }
  };
  let timer = setTimeout(next, first);
  response.on("close", () => clearTimeout(timer));
}

const server = createServer((request, response) => {
  const allowed = request.url === "/v1/chat/completions";
  const body = [];
  request.on("data", (piece) => body.push(piece));
  if (!allowed) {
    response.writeHead(404).end("not found\n");
  } else if (request.method !== "POST") {
    response.writeHead(405, { Allow: "POST" }).end("only POST\n");
  } else {
    request.on("end", () => {
      let asked;
      try {
        asked = JSON.parse(Buffer.concat(body));
      } catch {
        asked = {};
      }
      stream(response, asked.max_tokens ?? 60);
    });
  }
});
server.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
