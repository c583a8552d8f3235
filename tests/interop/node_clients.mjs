// Clients of the OpenAI API that people run under Node, with only the base URL changed.
//
//     echo '{"client": "aiText", "url": "http://localhost:8000/v1", "prompt": "hi", …}' | node node_clients.mjs
//
// For each line of its input, runs the client with this name, and prints its result as a line of JSON.

import { createInterface } from "node:readline";

// What the client is asked, and what it has seen.
let url, model, prompt, tool, schema, stream;
let messages, texts, thoughts, called;

function begin(asked) {
  ({ url, model, prompt, tool, schema, stream } = asked);
  messages = [{ role: "user", content: prompt }];
  [texts, thoughts, called] = [[], [], []];
}

// ---- openai

async function openai() {
  const { default: OpenAI } = await import("openai");
  return new OpenAI({ baseURL: url, apiKey: "none", maxRetries: 0 });
}

// A tool for `runTools`: it records its arguments.
const runnable = () => ({
  type: "function",
  function: {
    name: tool.name,
    description: "A tool.",
    parameters: tool.parameters,
    parse: JSON.parse,
    function: (given) => {
      called.push(given);
      return tool.result;
    },
  },
});

const responseFormat = () => ({
  type: "json_schema",
  json_schema: { name: "wanted", schema, strict: true },
});

async function openaiStream() {
  const client = await openai();
  const stream = await client.chat.completions.create({
    model,
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  let finish, usage;
  for await (const chunk of stream) {
    const [choice] = chunk.choices;
    if (choice?.delta.reasoning_content) thoughts.push(choice.delta.reasoning_content);
    if (choice?.delta.content) texts.push(choice.delta.content);
    finish ??= choice?.finish_reason;
    usage = chunk.usage;
  }
  return { thoughts, texts, finish, tokens: usage.completion_tokens };
}

// `.stream()` emits an event for every delta, and builds the answer itself.
async function openaiHelper() {
  const client = await openai();
  const stream = client.chat.completions.stream({ model, messages });
  stream.on("content", (delta) => texts.push(delta));
  return { texts, text: await stream.finalContent() };
}

// `runTools` calls the tool, sends its result, and reads the text that follows.
async function openaiTools() {
  const client = await openai();
  const runner = client.chat.completions.runTools({
    model,
    messages,
    tools: [runnable()],
    stream,
  });
  return { text: await runner.finalContent(), called };
}

async function openaiObject() {
  const client = await openai();
  const whole = await client.chat.completions.parse({
    model,
    messages,
    response_format: responseFormat(),
  });
  return { object: JSON.parse(whole.choices[0].message.content) };
}

async function openaiResponses() {
  const client = await openai();
  const stream = client.responses.stream({ model, input: prompt });
  stream.on("response.output_text.delta", (event) => texts.push(event.delta));
  const final = await stream.finalResponse();
  return { texts, text: final.output_text, status: final.status };
}

// Two chunks, then the client aborts; its process runs on.
async function openaiAbort() {
  const client = await openai();
  const stream = await client.chat.completions.create({ model, messages, stream: true });
  for await (const chunk of stream) {
    const delta = chunk.choices[0].delta;
    texts.push(delta.role ?? delta.reasoning_content);
    if (texts.length === 2) stream.controller.abort();
  }
  return { texts };
}

// ---- ai, the SDK of Vercel

async function compatible() {
  const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
  const options = { name: "sim", baseURL: url, includeUsage: true };
  return createOpenAICompatible({ ...options, supportsStructuredOutputs: true })(model);
}

async function responses() {
  const { createOpenAI } = await import("@ai-sdk/openai");
  return createOpenAI({ baseURL: url, apiKey: "none" }).responses(model);
}

async function streamed(provider, more = {}) {
  const { streamText } = await import("ai");
  const result = streamText({ model: await provider(), prompt, maxRetries: 0, ...more });
  let finish, usage;
  for await (const part of result.fullStream) {
    switch (part.type) {
      case "error":
        throw part.error;
      case "reasoning-delta":
        thoughts.push(part.text);
        break;
      case "text-delta":
        texts.push(part.text);
        break;
      case "finish":
        finish = part.finishReason;
        usage = part.totalUsage;
    }
  }
  return { thoughts, texts, finish, tokens: usage.outputTokens };
}

async function whole(provider) {
  const { generateText } = await import("ai");
  const said = await generateText({ model: await provider(), prompt, maxRetries: 0 });
  const { text, reasoningText: thinking, finishReason: finish, usage } = said;
  return { thinking, text, finish, tokens: usage.outputTokens };
}

async function withTools(provider) {
  const { jsonSchema, stepCountIs, tool: define } = await import("ai");
  const execute = async (given) => {
    called.push(given);
    return tool.result;
  };
  const tools = {
    [tool.name]: define({ inputSchema: jsonSchema(tool.parameters), execute }),
  };
  return { ...(await streamed(provider, { tools, stopWhen: stepCountIs(2) })), called };
}

async function withObject(provider) {
  const { jsonSchema, Output, streamText } = await import("ai");
  const output = Output.object({ schema: jsonSchema(schema) });
  const result = streamText({ model: await provider(), prompt, output, maxRetries: 0 });
  let partials = 0;
  for await (const _ of result.partialOutputStream) partials += 1;
  return { object: await result.output, partials };
}

const cases = {
  openaiStream,
  openaiHelper,
  openaiTools,
  openaiObject,
  openaiResponses,
  openaiAbort,
  aiText: () => streamed(compatible),
  aiWhole: () => whole(compatible),
  aiTools: () => withTools(compatible),
  aiObject: () => withObject(compatible),
  aiResponses: () => streamed(responses),
  aiResponsesWhole: () => whole(responses),
  aiResponsesTools: () => withTools(responses),
  aiResponsesObject: () => withObject(responses),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { client, ...asked } = JSON.parse(line);
  begin(asked);
  // A client that fails has no result; its error is told on stderr.
  const result = await cases[client]().catch((error) => void console.error(error));
  console.log(JSON.stringify(result ?? null));
}
