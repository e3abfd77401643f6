// A lesson: its sections as the library fills them, and a slider where it sweeps a number.

import { ask, newest } from "./api.js";
import { Chart } from "./chart.js";
import { el, fill } from "./dom.js";
import { slider } from "./form.js";
import { shown } from "./numbers.js";
import { facts, refused } from "./parts.js";
import { quiz } from "./quiz.js";

export const lesson = (x) => el("article", { "aria-label": x.title }, el("h2", {}, `${x.place}. ${x.title}`),
  x.sections.map((s) => el("section", { "aria-label": s.heading }, el("h3", {}, s.heading), s.blocks.map((b) => block(b, s.heading)))));

function block(b, heading) {
  if (b.sort === "guess") return quiz(b.drawn);
  if (b.sort === "ask") return heading === "Slide" ? slide(b) : results(b.asked);
  if (b.sort === "claim") return el("details", {}, el("summary", {}, `${b.claim.id}: ${b.claim.topic}`), el("p", {}, b.claim.versions), el("p", {}, el("strong", {}, "Used here: "), b.claim.used, " ", b.claim.reason));
  if (b.sort === "try") return el("pre", { tabindex: "0", "aria-label": "A command to change" }, `headway ${b.text}`);
  return /^ {4}/.test(b.text) ? el("pre", { tabindex: "0", "aria-label": "Formula" }, b.text.replace(/^ {4}/gm, "")) : el("p", {}, written(b.text));
}

// `code`, **strong** and links of the lesson's markdown, as text.
const written = (text) => text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => (part.startsWith("`") ? el("code", {}, part.slice(1, -1))
  : part.startsWith("**") ? el("strong", {}, part.slice(2, -2)) : part.replace(/\[([^\]]+)\]\([^)]*\)/g, "$1")));

const results = (a) => facts(`${a.id}: ${a.title}`, a.results.map((r) => [r.name.replaceAll("_", " "), shown(r.value, r.unit), r.about]));

// The question of a directive: an equation, numbers, options.
function question(text) {
  const [equation, ...words] = text.split(/\s+/);
  const found = { equation, numbers: {} };
  for (let i = 0; i < words.length; i += 1) {
    if (words[i].startsWith("--")) found[words[i].slice(2)] = words[i += 1];
    else found.numbers[words[i].split("=")[0]] = words[i].split("=")[1];
  }
  return found;
}

function slide(b) {
  const { sweep, ...asked } = question(b.text);
  const name = sweep ? b.asked.swept : b.asked.parameters.find((p) => typeof p.value === "number" && p.value > 0)?.name;
  const p = b.asked.parameters.find((x) => x.name === name);
  const points = sweep ? b.asked.sweep.map((r) => r[name]) : [];
  const first = points.length ? points[Math.floor(points.length / 2)] : p.value;
  const title = `${name.replaceAll("_", " ")}${p.unit ? ` [${p.unit}]` : ""}`;
  const numeric = typeof first === "number";
  const input = numeric ? el("input", { id: "main", type: "text", autocomplete: "off", value: Number(first.toPrecision(3)), onchange: () => compute() })
    : el("select", { id: "main", onchange: () => compute() }, points.map((c) => el("option", { value: c }, c)));
  const place = el("div", { "aria-live": "polite" });
  let here = numeric ? first : null;
  const chart = new Chart(b.asked.id);
  chart.figure.hidden = !sweep;
  const compute = newest(async () => {
    try {
      const found = await ask("ask", { ...asked, numbers: { ...asked.numbers, [name]: input.value } }, { form: "record" });
      fill(place, results(found));
      const at = found.parameters.find((x) => x.name === name)?.value;
      if (typeof at === "number") here = at;
      chart.move(here);
    } catch (error) {
      if (!error.kind) throw error;
      fill(place, refused(error, () => {}));
    }
  });
  const draw = async () => sweep && chart.draw((await ask("ask", { ...asked, sweep })).figure, numeric ? { along: name, here } : {});
  compute();
  draw().catch(() => { chart.figure.hidden = true; });
  return el("div", {}, el("div.field", {}, el("label", { for: "main" }, title), input, numeric ? slider(input, {}, compute, title) : null), place, chart.figure);
}
