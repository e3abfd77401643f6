// What every view has: the same thing as a command, as Python, as files; refusals; numbers that say where they come from.

import { ask } from "./api.js";
import { copy, el, fill, save } from "./dom.js";

export function sameThing(name, { chart = null, csv = null, link = location.protocol !== "file:" } = {}) {
  const command = el("code");
  const program = el("code");
  const line = (label, code) => el("div.same", {}, el("span", {}, label), el("pre", { tabindex: "0", "aria-label": label }, code),
    el("button", { type: "button", onclick: (e) => copy(code.textContent, e.currentTarget) }, "copy"));
  const file = (label, make) => el("button", { type: "button", "data-export": label, onclick: async () => save(`headway-${name}.${label.toLowerCase()}`, ...(await make())) }, label);
  let record = null;
  const files = el("p.files", {}, "Save: ",
    file("JSON", async () => [JSON.stringify(record, null, 1), "application/json"]),
    csv && file("CSV", async () => [await ask(...csv(), { form: "csv" }), "text/csv"]),
    chart && [file("SVG", async () => [await chart.svg(), "image/svg+xml"]), file("PNG", async () => [await chart.png(), "image/png"])],
    link ? el("button", { type: "button", onclick: (e) => copy(location.href, e.currentTarget) }, "link") : null);
  const inPython = line("Python", program);
  const box = el("section.samething", { "aria-label": "The same thing elsewhere" }, line("Command line", command), inPython, files);
  return { box, show(found) {
    record = found.answer;
    command.textContent = found.command;
    program.textContent = found.python || "";
    inPython.hidden = !found.python;
  } };
}

// A refusal and the nearest thing that fits, never an empty chart.
export function refused(error, take) {
  const ways = error.nearest.map(({ change, says }) => {
    const text = Object.entries(change).map(([k, v]) => (v === null ? `without ${k}` : `${k} ${v}`)).join(", ");
    return el("li", {}, el("button", { type: "button", onclick: () => take(change) }, text), ` ${says}`);
  });
  const title = { physics: "It does not fit", malformed: "Not understood", busy: "Busy", time: "Took too long" }[error.kind] || "No answer";
  const own = /unknown system or chip 'mychip/.test(error.message) ? el("p", {}, "A chip of your own is typed in ", el("a", { href: "/yours", "data-link": true }, "Yours"), ", once for each tab.") : null;
  return el("div.refusal", { role: "alert" }, el("strong", {}, title), el("p", {}, error.message), own,
    ways.length ? [el("p", {}, "Nearest that fits:"), el("ul", {}, ways)] : null);
}

// Rows of [label, value, how it comes about]; a row with a reason opens on a tap and shows it under the pointer.
export function facts(caption, rows) {
  const body = el("tbody");
  for (const [label, value, note, why] of rows) {
    const head = why
      ? el("button.why", { type: "button", "aria-expanded": "false", title: why }, label)
      : label;
    const row = el("tr", {}, el("th", { scope: "row" }, head), el("td", {}, value), el("td.note", {}, note || ""));
    body.append(row);
    if (why) {
      const more = el("tr.reason", { hidden: true }, el("td", { colspan: "3" }, why));
      head.addEventListener("click", () => {
        more.hidden = !more.hidden;
        head.setAttribute("aria-expanded", String(!more.hidden));
      });
      body.append(more);
    }
  }
  return el("table.facts", {}, el("caption", {}, caption), body);
}

export function grid(caption, heads, rows, wraps = false) {
  return el(wraps ? "div.wide.wraps" : "div.wide", { tabindex: "0", role: "region", "aria-label": caption }, el("table", {}, el("caption", {}, caption),
    el("thead", {}, el("tr", {}, heads.map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, rows.map((r) => el("tr", {}, r.map((c, i) => (i ? el("td", {}, c) : el("th", { scope: "row" }, c))))))));
}

export const whyOf = (rows) => {
  const found = Object.fromEntries((rows || []).map((r) => [r.what, `${r.how} (source: ${r.source})`]));
  return (name) => found[name] || "";
};

// A name may be a config.json of one's own.
export function paste(done, kept) {
  const text = el("textarea", { id: "config", rows: "6", spellcheck: "false", placeholder: '{"model_type": "llama", "hidden_size": 4096, …}' });
  const said = el("p.quiet", { role: "status" });
  const use = () => {
    try {
      const config = JSON.parse(text.value);
      if (!config || typeof config !== "object" || Array.isArray(config)) throw new SyntaxError("it must be an object");
      kept.set(config);
      said.textContent = "Kept in this tab; the model is now called “pasted”.";
      done();
    } catch (error) {
      said.textContent = `Not a config.json: ${error.message}`;
    }
  };
  return el("details.paste", {}, el("summary", {}, "Your own model: paste a config.json"), el("label", { for: "config" }, "config.json"), text,
    el("button", { type: "button", onclick: use }, "Use it"), said);
}

export function progress(cancel) {
  const bar = el("progress", { max: "1", "aria-label": "Progress" });
  const text = el("span");
  const box = el("p.progress", { role: "status", hidden: true }, bar, " ", text, " ", el("button", { type: "button", onclick: cancel }, "Cancel"));
  return {
    box,
    tell({ what, done, of, seconds }) {
      box.hidden = false;
      if (of) bar.value = done / of; else bar.removeAttribute("value");
      text.textContent = `${what}, ${Math.round(seconds)} s`;
    },
    hide() { box.hidden = true; },
  };
}

export { fill };
