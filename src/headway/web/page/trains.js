// Trains and their riders, as the record tells them: who waits, boards, rides and gets off, in real or slowed time.

import { el, fill } from "./dom.js";
import { shown } from "./numbers.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDE, HIGH] = [1000, 210]; // of the picture
const [STATION, EXIT, NARROW] = [190, 140, 620]; // room for those who wait, and for those who are done; screens that are narrow
const [ROWS, CELL, MOST] = [4, 17, 96]; // seats of a train
const SPEEDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]; // times slower than real
const LOOK = 1; // seconds that a train should be seen

const make = (name, attributes, ...children) => {
  const found = document.createElementNS(SVG, name);
  for (const [k, v] of Object.entries(attributes)) found.setAttribute(k, v);
  found.append(...children);
  return found;
};
const words = (x, y, text, more = {}) => make("text", { x, y, ...more }, text);
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Trains {
  constructor() {
    this.picture = make("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", class: "trains", "aria-label": "A train with its riders" });
    this.said = el("p.quiet", { role: "status" });
    this.go = el("button", { type: "button", onclick: () => (this.running ? this.stop() : this.play()) }, "Play");
    this.next = el("button", { type: "button", onclick: () => { this.stop(); this.at(this.index + 1 < this.t.departs_s.length ? this.index + 1 : 0); } }, "Next train");
    this.speed = el("select", { id: "train-speed", onchange: () => this.tell() }, SPEEDS.map((s) => el("option", { value: s }, s === 1 ? "real time" : `${s} times slower`)));
    this.where = el("input", { type: "range", min: 0, id: "train-number", oninput: () => { this.stop(); this.at(Number(this.where.value)); } });
    this.pace = el("span", {}, el("label", { for: "train-speed" }, "Time runs "), this.speed);
    const controls = el("p.trainknobs", {}, this.go, this.next, this.pace,
      el("label", { for: "train-number" }, "Train"), this.where);
    this.box = el("figure.trainbox", {}, el("figcaption", {}, el("strong", {}, "Trains and their riders"), " ",
      el("span", {}, "one replica, from the middle of the run; ■ prompt being read, ● writing answers, ring: has just boarded")), this.picture, controls, this.said);
  }

  show(t) {
    this.stop();
    this.box.hidden = !t;
    if (!t) return;
    this.t = t;
    this.where.max = t.departs_s.length - 1;
    this.riders = t.requests.request.map((request, i) => ({ request, arrival: t.requests.arrival_s[i], start: t.requests.start_s[i] ?? Infinity,
      first: t.requests.first_token_s[i] ?? Infinity, end: t.requests.end_s[i] ?? Infinity }));
    this.begin = t.departs_s[0];
    this.seats();
    const typical = t.rides_s.reduce((a, b) => a + b, 0) / t.rides_s.length;
    this.speed.value = SPEEDS.reduce((best, s) => (Math.abs(Math.log(s * typical / LOOK)) < Math.abs(Math.log(best * typical / LOOK)) ? s : best));
    this.go.hidden = this.pace.hidden = still.matches;
    if (still.matches) this.at(this.busiest()); else { this.at(0); this.play(); }
  }

  // The train with most prompts aboard: a still picture shows most there.
  busiest() {
    const extra = this.t.tokens.map((n, i) => n - this.t.decoding[i]);
    return extra.indexOf(Math.max(...extra));
  }

  // Everybody keeps a seat from boarding to getting off.
  seats() {
    const free = [];
    const leaving = [];
    let most = 0;
    for (const r of [...this.riders].filter((x) => x.start < Infinity).sort((a, b) => a.start - b.start)) {
      for (let i = leaving.length - 1; i >= 0; i -= 1) if (leaving[i].end <= r.start) free.push(leaving.splice(i, 1)[0].seat);
      free.sort((a, b) => b - a);
      r.seat = free.length ? free.pop() : most++;
      leaving.push(r);
    }
    this.each = Math.max(Math.ceil(Math.max(most, this.t.seats) / MOST), 1); // riders that a sign stands for
    this.most = most;
  }

  // Put a train on the track: `share` of its ride is over.
  at(index, share = still.matches ? 0.5 : 0) {
    const { t } = this;
    const narrow = this.box.clientWidth && this.box.clientWidth < NARROW;
    [this.wide, this.station, this.rows] = narrow ? [520, 110, 6] : [WIDE, STATION, ROWS];
    this.end = this.wide - (narrow ? 105 : EXIT);
    this.seen = Math.max(Math.ceil(Math.min(Math.max(this.most, 1), MOST) / this.rows), 3); // columns of seats
    this.picture.setAttribute("viewBox", `0 0 ${this.wide} ${HIGH}`);
    this.index = index;
    this.now = t.departs_s[index] + share * t.rides_s[index];
    const leaves = t.departs_s[index];
    const aboard = this.riders.filter((r) => r.start <= leaves + 1e-9 && r.end > leaves + 1e-9);
    this.train = make("g", {}, this.carriage(aboard, leaves));
    this.rest = make("g", {});
    fill(this.picture, make("line", { x1: this.station, y1: 176, x2: this.end, y2: 176, class: "track" }),
      words(20, 24, "waiting", { class: "sign" }), words(this.end + 12, 24, "answered", { class: "sign" }), this.rest, this.train);
    this.where.value = index;
    this.move();
    this.tell(aboard.length);
  }

  carriage(aboard, leaves) {
    const wide = this.seen * CELL + 14;
    const top = 160 - this.rows * CELL - 12;
    const found = [make("rect", { x: 0, y: top, width: wide, height: this.rows * CELL + 12, rx: 9, class: "carriage" }),
      make("circle", { cx: 18, cy: 168, r: 7, class: "wheel" }), make("circle", { cx: wide - 18, cy: 168, r: 7, class: "wheel" })];
    const taken = this.each === 1 ? aboard : aboard.slice(0, Math.ceil(aboard.length / this.each)).map((r, i) => ({ ...r, seat: i }));
    for (const r of taken) {
      const [x, y] = [15 + CELL * Math.floor(r.seat / this.rows), top + 14 + CELL * (r.seat % this.rows)];
      const fresh = leaves - r.start < 1e-9 + this.t.rides_s[this.index] * 0.5;
      found.push(r.first > leaves + 1e-9
        ? make("rect", { x: x - 5.5, y: y - 5.5, width: 11, height: 11, class: `rider prompt${fresh ? " fresh" : ""}` })
        : make("circle", { cx: x, cy: y, r: 5.5, class: `rider decode${fresh ? " fresh" : ""}` }));
    }
    return make("g", {}, ...found);
  }

  // What changes within a ride: where the train is, who has come, who has gone.
  move() {
    const { t } = this;
    const share = Math.min((this.now - t.departs_s[this.index]) / t.rides_s[this.index], 1);
    const room = this.end - this.station - (this.seen * CELL + 14);
    this.train.setAttribute("transform", `translate(${this.station + Math.max(room, 0) * share} 0)`);
    const waiting = this.riders.filter((r) => r.arrival <= this.now && r.start > this.now).length + t.more_requests;
    const done = this.riders.filter((r) => r.end <= this.now && r.end >= this.begin).length;
    const key = `${waiting} ${done}`;
    if (key === this.drawn && this.rest.childNodes.length) return;
    this.drawn = key;
    const across = this.wide < WIDE ? 4 : 6;
    const sign = (n, x) => [...Array(Math.min(n, 8 * across)).keys()].map((i) => make("circle", { cx: x + 19 * (i % across), cy: 62 + 16 * Math.floor(i / across), r: 5, class: "rider waits" }));
    fill(this.rest, sign(waiting, 26), words(20, 44, shown(waiting), { class: "sign number" }), sign(done, this.end + 18), words(this.end + 12, 44, shown(done), { class: "sign number" }));
  }

  tell(aboard = this.aboard) {
    const { t, index } = this;
    this.aboard = aboard;
    const prompts = t.tokens[index] - t.decoding[index];
    this.said.textContent = `Train ${index + 1} of ${t.departs_s.length} leaves at ${t.departs_s[index].toFixed(3)} s and rides ${shown(t.rides_s[index], "s")}: ${shown(t.decoding[index])} write answers`
      + `${prompts > 0 ? `, ${shown(t.tokens[index])} new tokens in all` : ""}${this.each > 1 ? `; a sign stands for ${this.each} riders` : ""}.`;
    this.picture.setAttribute("aria-label", this.said.textContent);
  }

  play() {
    this.running = true;
    this.go.textContent = "Pause";
    this.said.setAttribute("role", "none"); // nobody wants each train read aloud
    let last = null;
    const frame = (time) => {
      if (!this.running || !this.box.isConnected) return;
      if (last !== null) this.now += Math.min((time - last) / 1000, 0.1) / Number(this.speed.value);
      last = time;
      const { departs_s: leaves, rides_s: rides } = this.t;
      let i = this.index;
      while (i < leaves.length && this.now >= leaves[i] + rides[i] && (i + 1 >= leaves.length || this.now >= leaves[i + 1])) i += 1;
      if (i >= leaves.length) this.at(0); else if (i !== this.index) {
        const { now } = this;
        this.at(i);
        this.now = Math.max(now, leaves[i]);
      }
      this.move();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  stop() {
    this.running = false;
    this.go.textContent = "Play";
    this.said.setAttribute("role", "status");
  }
}
