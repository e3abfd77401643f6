// Which layout to run: the frontier of all that fit, and any option of it opened.

import { lead, results, title } from "./results_search.js";
import { verbView } from "./verb_view.js";

export const open = (place, schemas, names) => verbView(place, schemas, names, {
  verb: "search", title, lead, results, own: ["option", "role"],
  start: { model: "deepseek-v3", systems: "gb200-nvl72" },
  first: ["model", "systems", "prompt", "output", "ttft", "tpot", "rate", "minimise", "precision", "engine"],
});
