// The page: which view the address asks for, light or dark, and links that do not load anew.

import { get } from "./api.js";
import { el, fill } from "./dom.js";
import { view } from "./state.js";
import { themes } from "./theme.js";

const LOADED = { batch: () => import("./batch.js"), lecture: () => import("./lecture.js"), layouts: () => import("./layouts.js"), traffic: () => import("./traffic.js"),
  money: () => import("./money.js"), selfhost: () => import("./selfhost.js"), infer: () => import("./infer.js"), training: () => import("./training.js"), lifetime: () => import("./lifetime.js"), rl: () => import("./rl.js"), learn: () => import("./learn.js"), yours: () => import("./yours.js") };
const TITLES = { batch: "Batch", lecture: "Lecture", layouts: "Layouts", traffic: "Traffic", money: "Money", selfhost: "Rent or an API", infer: "Prices read backwards", training: "Training", lifetime: "How large a model", rl: "Reinforcement learning", learn: "Learn", yours: "Yours" };
const PARTS = { selfhost: "money", infer: "money", lifetime: "training", rl: "training" };
const place = document.getElementById("main");
let shown = null;
let current = null;

const start = get(view() === "batch" ? "/api/start" : "/api/start/bare");

async function go() {
  const name = view();
  document.title = `${TITLES[name]} · headway`;
  for (const link of document.querySelectorAll("header nav a")) link.toggleAttribute("aria-current", link.dataset.view === (PARTS[name] || name));
  const loading = LOADED[name]();
  const { schemas, names, first, keeps } = await start;
  if (shown === name && current) return current.moved();
  current?.leave?.();
  shown = name;
  const { open } = await loading;
  if (shown !== name) return null; // somebody has gone on meanwhile
  fill(place);
  current = open(place, schemas, names, first, keeps);
  return current;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-link]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  if (link.pathname === location.pathname) return;
  history.pushState(null, "", link.getAttribute("href"));
  go();
  scrollTo(0, 0);
});
addEventListener("popstate", go);
addEventListener("hashchange", () => current?.moved());

themes();
go().catch((error) => fill(place, el("p", { role: "alert" }, `The page could not start: ${error.message}`)));
