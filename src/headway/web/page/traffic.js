// What traffic sees: trains and their riders, how long requests took, the queue and the batch over time.

import { lead, results, title } from "./results_simulate.js";
import { verbView } from "./verb_view.js";

export const open = (place, schemas, names) => verbView(place, schemas, names, {
  verb: "simulate", title, lead, results,
  start: { model: "llama-3.1-8b", system: "h100x1", prompt: "1000", output: "200", traffic: "poisson:16/s", requests: "500", ttft: "120ms", tpot: "14ms" },
  first: ["model", "system", "traffic", "requests", "prompt", "output", "ttft", "tpot", "policy", "precision", "engine"],
});
