// How large a model should be: training, reinforcement and serving at equal quality.

import { lead, results, title } from "./results_lifetime.js";
import { LINKS } from "./training.js";
import { tabs, verbView } from "./verb_view.js";

export const open = (place, schemas, names) => verbView(place, schemas, names, {
  verb: "lifetime", title, lead, results, above: tabs("/training/lifetime", LINKS),
  start: { model: "llama-3.1-70b", system: "h200x8", prompt: "4k", output: "500", tokens: "15T", demand: "200T", rl_tokens: "20T" },
  first: ["model", "tokens", "demand", "traffic", "days", "rl_tokens", "trained", "rl_idle", "system", "prompt", "output", "train_on", "law"],
});
