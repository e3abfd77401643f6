// A training run: the recipe that is fastest, where a step's time goes, what a chip holds, days and dollars.

import { lead, results, title } from "./results_train.js";
import { tabs, verbView } from "./verb_view.js";

export const LINKS = [["/training", "A run"], ["/training/lifetime", "How large a model"], ["/training/rl", "Reinforcement learning"]];

export const open = (place, schemas, names) => verbView(place, schemas, names, {
  verb: "train", title, lead, results, above: tabs("/training", LINKS),
  start: { model: "llama-3.1-405b", on: "h100x16384", tokens: "15.6T", global_batch: "16Mtok" },
  first: ["model", "on", "tokens", "chips", "global_batch", "layout", "recompute", "schedule", "precision", "optimizer", "engine", "price"],
});
