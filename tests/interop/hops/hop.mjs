// Relays under Node, each on a port of its own.
//
//     node hop.mjs UPSTREAM '{"http-proxy": 8081, "middleware": 8082, …}'

import compression from "compression";
import express from "express";
import httpProxy from "http-proxy";
import { createProxyMiddleware } from "http-proxy-middleware";

const [target, given] = process.argv.slice(2);
const ports = JSON.parse(given);
const relay = createProxyMiddleware({ target, changeOrigin: true });

httpProxy
  .createProxyServer({ target })
  .on("error", (error, request, response) => response.destroy())
  .listen(ports["http-proxy"], "127.0.0.1");
express().use(relay).listen(ports.middleware, "127.0.0.1");
express().use(compression()).use(relay).listen(ports.compression, "127.0.0.1");
express()
  .use(compression({ filter }))
  .use(relay)
  .listen(ports["compression-filter"], "127.0.0.1");

function filter(request, response) {
  const type = response.getHeader("Content-Type") ?? "";
  return !type.startsWith("text/event-stream") && compression.filter(request, response);
}
