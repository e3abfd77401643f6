// Reinforcement learning as a loop: answers generated, trained on, and what idles meanwhile.

import { lead, results, title } from "./results_rl.js";
import { LINKS } from "./training.js";
import { tabs, verbView } from "./verb_view.js";

export const open = (place, schemas, names) => verbView(place, schemas, names, {
  verb: "rl", title, lead, results, above: tabs("/training/rl", LINKS),
  start: { model: "llama-3.1-8b", system: "h100x64" },
  first: ["model", "system", "prompts", "group", "prompt", "answers", "way", "rollout_chips", "layout", "train_layout", "trained", "iterations", "price"],
});
