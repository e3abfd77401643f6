// Questions to the server: one answer, or a stream of progress and then one.

import { chip, pasted } from "./state.js";

export class Refusal extends Error {
  constructor(body, status) {
    super(body.error || `the server answers ${status}`);
    this.kind = body.kind || "lost";
    this.nearest = body.nearest || [];
    this.status = status;
  }
}

const names = (value) => [value || ""].flat().join(",").split(",");
const SYSTEMS = ["system", "systems", "on", "against", "with_system"];

// What a name stands for goes along: a pasted config.json, a chip of one's own.
const withOwn = (body) => {
  const config = names(body.model).includes("pasted") && pasted.get();
  const own = chip.get();
  const asked = own && SYSTEMS.some((s) => names(body[s]).some((n) => n.startsWith("mychip")));
  return { ...body, ...(config ? { config } : {}), ...(asked ? { own_chip: own } : {}) };
};

const request = (path, body, accept, signal) =>
  fetch(path, {
    method: "POST", signal, body: JSON.stringify(withOwn(body)),
    headers: { "content-type": "application/json", accept },
  });

export async function ask(verb, body, { form = "view", signal } = {}) {
  const path = form === "record" ? `/api/${verb}` : `/api/${verb}/${form}`;
  let found;
  try {
    found = await request(path, body, "*/*", signal);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal({ error: "the server does not answer; is `headway web` still running?", kind: "lost" }, 0);
  }
  if (!found.ok) throw new Refusal(await found.json().catch(() => ({})), found.status);
  return form === "csv" ? found.text() : found.json();
}

// Server-sent events over a POST; leaving (the signal) ends the work on the server.
export async function stream(verb, body, tell, signal) {
  const found = await request(`/api/${verb}/view`, body, "text/event-stream", signal);
  if (!found.ok) throw new Refusal(await found.json().catch(() => ({})), found.status);
  const reader = found.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Refusal({ error: "the server ended before the answer", kind: "lost" }, 0);
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/s.exec(part) || [];
      const said = data && JSON.parse(data);
      if (name === "progress") tell(said);
      if (name === "answer") return said.body;
      if (name === "refused") throw new Refusal(said.body, said.status);
    }
  }
}

export const get = async (path) => (await fetch(path)).json();

// While a question is out only the newest of those that come waits: a slider never makes a queue.
export function newest(work) {
  let running = false;
  let waiting = null;
  return async function run(...given) {
    if (running) {
      waiting = given;
      return;
    }
    running = true;
    try {
      await work(...given);
    } finally {
      running = false;
      const next = waiting;
      waiting = null;
      if (next) run(...next);
    }
  };
}
