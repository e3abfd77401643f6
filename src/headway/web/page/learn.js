// Learning: cards with new numbers each time, and the lessons with a slider for the number that each is about.

import { ask } from "./api.js";
import { el, fill } from "./dom.js";
import { lesson } from "./lesson.js";
import { refused } from "./parts.js";
import { quiz } from "./quiz.js";
import { address, given } from "./state.js";

const record = (body) => ask("learn", body, { form: "record" });
const to = (values) => address(values, ["lesson", "card", "seed"], "/learn");
const seed = () => 1 + Math.floor(Math.random() * 9999);

// What is due comes first, then what is new, then what can wait.
const turn = (card) => (card.due === null ? 1 : new Date(card.due) <= new Date() ? 0 : 2);

export function open(place, schemas, names, first, keeps) {
  const body = el("div");
  const list = el("nav.knobs", { "aria-label": "Lessons" });
  let cards = null;
  let asked = 0;

  async function start(values) {
    cards ||= (await record({})).sort((a, b) => turn(a) - turn(b));
    const at = Math.max(cards.findIndex((c) => c.id === values.card), 0);
    const chosen = values.card || cards[at].id;
    const drawn = await record({ card: chosen, seed: values.seed ?? seed() });
    const next = () => {
      history.pushState(null, "", to({ card: cards[(at + 1) % cards.length].id, seed: seed() }));
      return show(true);
    };
    return el("section", { "aria-label": "Cards" }, el("h2", {}, `Card ${at + 1} of ${cards.length}`), quiz(drawn, next, keeps));
  }

  async function show(focus = false) {
    const mine = (asked += 1);
    const values = given();
    for (const link of list.querySelectorAll("a")) link.toggleAttribute("aria-current", link.dataset.lesson === (values.lesson || ""));
    try {
      const found = values.lesson ? lesson(await record({ lesson: values.lesson })) : await start(values);
      if (mine !== asked) return;
      fill(body, found);
      if (focus) body.querySelector("input")?.focus();
    } catch (error) {
      if (!error.kind) throw error;
      if (mine === asked) fill(body, refused(error, () => {}));
    }
  }

  async function load() {
    const lessons = await record({ lesson: "lessons" });
    const link = (name, text) => el("a", { href: to({ lesson: name }), "data-lesson": name, onclick: (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      history.pushState(null, "", to({ lesson: name }));
      show();
    } }, text);
    fill(list, link("", "Cards"), lessons.map((x) => link(x.id, `${x.place}. ${x.title}`)));
    await show();
  }

  fill(place, el("h1", {}, "Learn"), el("p.lead", {}, "Guess first, then see the number and where it comes from. ", keeps ? "Your first answer to a card is kept as a review, in the file that " : "This page stores nothing; ",
    el("code", {}, "headway learn"), keeps ? " in the terminal goes on with; what is due comes first, and comes again when you are about to forget it." : " in the terminal keeps progress, and what is due there comes first here."),
    el("details", { open: innerWidth > 860 }, el("summary", {}, "Cards and lessons"), list), body);
  load().catch((error) => fill(body, refused(Object.assign(error, { nearest: error.nearest || [] }), () => {})));
  return { moved: () => show() };
}
