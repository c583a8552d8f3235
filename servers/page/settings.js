/*
 * The settings: a form whose fields are kept in localStorage. The names of models and faults come
 * from the server that is chosen, when the form is opened.
 */

import { listFaults, listModels } from "./openai.js";
import { words } from "./words.js";

const KEY = "workshop.settings";
const form = document.querySelector("#settings");
const { server, model, fault, pace } = form.elements;

// The page's Content-Security-Policy names both; it cannot name [::1].
const host = location.hostname === "127.0.0.1" ? "127.0.0.1" : "localhost";
server.options[1].value = `http://${host}:8005`;

try {
  const saved = JSON.parse(localStorage.getItem(KEY)) ?? {};
  if (saved.model) model.add(new Option(saved.model));
  for (const [name, value] of Object.entries(saved)) {
    if (form.elements[name]) form.elements[name].value = value;
  }
} catch {
  // Storage is off, or holds something else: the form is as it was written.
}
if (server.selectedIndex < 0) server.selectedIndex = 0; // saved under the other name of this host
if (model.selectedIndex < 0) model.add(new Option("sim-1"));
update();

/** @returns {{server: string, model: string, pace: string, fault: string, system: string}} */
export function settings() {
  const values = Object.fromEntries(new FormData(form));
  // What belongs to the simulated LLM is switched off for the proxy, and then has no value.
  return { pace: "", ...values, fault: values.fault?.trim() ?? "" };
}

function update() {
  for (const field of [fault, pace]) field.disabled = server.value !== "";
}

async function fill() {
  const note = form.querySelector("output");
  try {
    const names = await listModels(server.value);
    const chosen = names.includes(model.value) ? model.value : names[0];
    model.replaceChildren(...names.map((name) => new Option(name, name, false, name === chosen)));
    note.value = "";
  } catch (error) {
    note.value = error instanceof TypeError ? words.noReply(server.value) : error.message;
  }
  const list = form.querySelector("datalist");
  if (!list.options.length) {
    const faults = await listFaults().catch(() => []);
    list.append(...faults.map(([name, line]) => new Option(line, name)));
  }
}

form.addEventListener("toggle", ({ newState }) => newState === "open" && fill());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  form.hidePopover();
});
form.addEventListener("change", async ({ target }) => {
  update();
  if (target === server) await fill();
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(new FormData(form))));
  } catch {
    // They last as long as the page.
  }
});
