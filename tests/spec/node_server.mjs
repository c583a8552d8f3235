// A careful streaming server on Node's http: what it fails, Node's own parser or writer fails.
//
//     node node_server.mjs --ttft 0.5 --itl 0.05        prints its address

import { createServer } from "node:http";

const flag = (name) => 1000 * Number(process.argv[process.argv.indexOf(name) + 1]);
const [first, gap] = [flag("--ttft"), flag("--itl")];
const COUNT = 60;

function stream(response) {
  response.writeHead(200, {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
  });
  response.flushHeaders();
  let sent = 0;
  const next = () => {
    response.write(`data: {"text":"${sent} 你好"}\n\n`);
    sent += 1;
    if (sent === COUNT) {
      response.end();
    } else {
      timer = setTimeout(next, gap);
    }
  };
  let timer = setTimeout(next, first);
  response.on("close", () => clearTimeout(timer));
}

const server = createServer((request, response) => {
  const allowed = request.url === "/v1/chat/completions";
  request.resume();
  if (!allowed) {
    response.writeHead(404).end("not found\n");
  } else if (request.method !== "POST") {
    response.writeHead(405, { Allow: "POST" }).end("only POST\n");
  } else {
    request.on("end", () => stream(response));
  }
});
server.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
