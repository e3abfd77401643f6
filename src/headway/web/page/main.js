// The page: which view the address asks for, light or dark, and links that do not load anew.

import { get } from "./api.js";
import { el, fill } from "./dom.js";
import { view } from "./state.js";

const LOADED = { batch: () => import("./batch.js"), lecture: () => import("./lecture.js"), money: () => import("./money.js") };
const TITLES = { batch: "Batch", lecture: "Lecture", money: "Money" };
const place = document.getElementById("main");
let shown = null;
let current = null;

const facts = Promise.all([get("/api/schema"), get("/api/names")]);

async function go() {
  const name = view();
  document.title = `${TITLES[name]} · headway`;
  for (const link of document.querySelectorAll("nav a")) link.toggleAttribute("aria-current", link.dataset.view === name);
  const [schemas, names] = await facts;
  if (shown === name && current) return current.moved();
  current?.leave?.();
  shown = name;
  const { open } = await LOADED[name]();
  fill(place);
  current = open(place, schemas, names);
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

const root = document.documentElement;
if (localStorage.getItem("theme")) root.dataset.theme = localStorage.getItem("theme");
const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
document.getElementById("theme").addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  dispatchEvent(new Event("headway-theme"));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("headway-theme")));

go().catch((error) => fill(place, el("p", { role: "alert" }, `The page could not start: ${error.message}`)));
