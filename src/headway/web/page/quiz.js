// A card: its question, an answer that the library grades, the worked solution.

import { ask } from "./api.js";
import { el, fill } from "./dom.js";
import { refused } from "./parts.js";

const SAID = { 0: "Wrong", 1: "Right" };

// A division has room on both sides: what has none may be a path, which the server takes nowhere; an amount keeps its unit.
const divided = (text) => (/^\s*[\d$.]+\s*[A-Za-z$]/.test(text) ? text : text.replace(/([\w)])\s*\/\s*(?=[\w(])/g, "$1 / "));

const soon = (when) => {
  const hours = (new Date(when) - Date.now()) / 3.6e6;
  return hours < 1 ? `in ${Math.max(Math.round(60 * hours), 1)} minutes` : hours < 36 ? `in ${Math.round(hours)} hours` : `in ${Math.round(hours / 24)} days`;
};

// `keeps`: the first answer is a review, as in the terminal; more tries are practice.
export function quiz(drawn, next = null, keeps = false) {
  const answer = el("input", { id: "answer", type: "text", autocomplete: "off", spellcheck: "false" });
  const said = el("div", { role: "status" });
  const hints = el("ul");
  let told = 0;
  let kept = !keeps;
  const hint = el("button", { type: "button", onclick: () => {
    hints.append(el("li", {}, drawn.hints[told]));
    told += 1;
    hint.hidden = told >= drawn.hints.length;
  } }, "Hint");
  hint.hidden = !drawn.hints.length;

  async function grade(event) {
    event.preventDefault();
    if (!answer.value.trim()) {
      fill(said, el("p", {}, "Type an answer first: a guess is enough."));
      return;
    }
    const numbers = drawn.seed === null ? {} : { seed: drawn.seed };
    try {
      const review = kept ? {} : { keep: true, hints: told };
      const g = await ask("learn", { card: drawn.card.id, ...numbers, answer: divided(answer.value), ...review }, { form: "record" });
      kept = true;
      fill(said, el("p", {}, el("strong", {}, SAID[g.credit] || `Near (${Math.round(100 * g.credit)} %)`), g.says === "right" ? "" : `: ${g.says}`),
        g.due ? el("p.quiet", {}, `Kept as a review: due again ${soon(g.due)}.`) : null, el("p", {}, g.why), g.formula ? el("p", {}, el("code", {}, g.formula)) : null);
    } catch (error) {
      if (!error.kind) throw error;
      fill(said, refused(error, () => {}));
    }
  }

  return el("form", { onsubmit: grade }, el("p", {}, el("strong", {}, drawn.question)),
    el("div.field", {}, el("label", { for: "answer" }, drawn.card.kind === "number" ? "Your answer, with its unit" : "Your answer"), answer),
    el("p.files", {}, el("button", { type: "submit" }, "Grade"), hint, next ? el("button", { type: "button", onclick: next }, "Next card") : null), hints, said);
}
