// Choosing a start: a month of days, of which those can be chosen that have one; then the starts of the day.

import { starts } from "./calls.js";
import { icon, make } from "./make.js";
import { HERE, LOCALE, dateOf, hourOf, longDay, sameClock, time, zoneWords } from "./words.js";

const monthName = new Intl.DateTimeFormat(LOCALE, { month: "long", year: "numeric", timeZone: "UTC" });
const weekdayName = (style) => new Intl.DateTimeFormat(LOCALE, { weekday: style, timeZone: "UTC" });
const [NARROW, LONG] = [weekdayName("short"), weekdayName("long")];
const PARTS_OF_DAY = [["Morning", 0, 12], ["Afternoon", 12, 17], ["Evening", 17, 24]];

const iso = (moment) => moment.toISOString().slice(0, 10);
const utc = (year, month, day = 1) => new Date(Date.UTC(year, month, day));
const plus = (date, days) => iso(new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000));

export class Calendar {
  // `chosen` is called with a start; `refused` with what the API says no to.
  constructor({ serviceId, houseZone, lastDay, chosen, refused }) {
    Object.assign(this, { serviceId, houseZone, lastDay, chosen, refused });
    this.node = make("div", { class: "calendar" });
    this.today = dateOf(Date.now());
    this.month = this.today.slice(0, 7);
    this.day = null;
    this.byDay = new Map();
    this.known = new Set();
  }

  async open(day = null) {
    if (day) this.month = day.slice(0, 7);
    await this.load();
    if (!day) await this.skipToFirst();
    this.day = day && this.byDay.has(day) ? day : [...this.byDay.keys()].filter((one) => one.startsWith(this.month)).sort()[0] ?? null;
    this.draw();
  }

  // A house that is full for weeks: show the month in which something is free.
  async skipToFirst() {
    for (let looked = 0; looked < 3 && !this.hasFree() && this.hasNext(); looked += 1) {
      this.month = this.monthAfter(1);
      await this.load();
    }
  }

  hasFree() { return [...this.byDay.keys()].some((day) => day.startsWith(this.month)); }
  hasNext() { return `${this.monthAfter(1)}-01` <= this.lastDay; }
  monthAfter(months) {
    const [year, month] = this.month.split("-").map(Number);
    return iso(utc(year, month - 1 + months)).slice(0, 7);
  }

  async load() {
    if (this.known.has(this.month)) return;
    const [year, month] = this.month.split("-").map(Number);
    this.node.setAttribute("aria-busy", "true");
    try {
      const found = await starts(this.serviceId, iso(utc(year, month - 1)), iso(utc(year, month)), HERE);
      for (const slot of found) {
        const day = dateOf(slot.start);
        if (!this.byDay.has(day)) this.byDay.set(day, []);
        this.byDay.get(day).push(slot);
      }
      this.known.add(this.month);
    } catch (failed) {
      this.refused(failed);
    } finally {
      this.node.removeAttribute("aria-busy");
    }
  }

  async turn(months) {
    this.month = this.monthAfter(months);
    this.day = null;
    await this.load();
    this.draw();
    this.node.querySelector(`[data-turn="${months}"]:not([disabled])`)?.focus();
  }

  pick(day, focus = true) {
    this.day = day;
    this.draw();
    if (focus) this.node.querySelector(`[data-day="${day}"]`)?.focus();
  }

  draw() {
    this.node.replaceChildren(make("div", { class: "month" }, this.head(), this.grid()), this.times());
  }

  head() {
    const turn = (months, label, name, possible) => make("button", {
      type: "button", class: "turn", "data-turn": months, "aria-label": label, disabled: !possible, onclick: () => this.turn(months),
    }, icon(name));
    return make("div", { class: "month-head" },
      make("h3", { "aria-live": "polite" }, monthName.format(Date.parse(`${this.month}-01T00:00:00Z`))),
      turn(-1, "Previous month", "left", this.month > this.today.slice(0, 7)), turn(1, "Next month", "right", this.hasNext()));
  }

  grid() {
    const first = `${this.month}-01`;
    const lead = (new Date(`${first}T00:00:00Z`).getUTCDay() + 6) % 7;
    const grid = make("div", { class: "days", onkeydown: (event) => this.walk(event) });
    for (let n = 0; n < 7; n += 1) {
      const day = Date.UTC(2024, 0, 1 + n); // a Monday
      grid.append(make("span", { class: "weekday", "aria-hidden": "true" }, NARROW.format(day).slice(0, 3)));
    }
    for (let day = plus(first, -lead); day < `${this.monthAfter(1)}-01`; day = plus(day, 1)) {
      grid.append(day < first ? make("span", {}) : this.dayButton(day));
    }
    return grid;
  }

  dayButton(day) {
    const free = this.byDay.get(day)?.length ?? 0;
    const moment = Date.parse(`${day}T00:00:00Z`);
    const told = free ? `${free} ${free === 1 ? "time" : "times"} free` : "nothing free";
    return make("button", {
      type: "button", class: "day", "data-day": day, disabled: !free, "aria-pressed": String(day === this.day),
      "aria-current": day === this.today ? "date" : null,
      "aria-label": `${LONG.format(moment)} ${Number(day.slice(8))}, ${told}`, onclick: () => this.pick(day),
    }, String(Number(day.slice(8))));
  }

  walk(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 }[event.key];
    const from = event.target.dataset?.day;
    if (!step || !from) return;
    event.preventDefault();
    for (let day = plus(from, step); day.startsWith(this.month); day = plus(day, step)) {
      const button = this.node.querySelector(`[data-day="${day}"]:not([disabled])`);
      if (button) { button.focus(); return; }
    }
  }

  times() {
    if (!this.day) {
      const what = this.hasFree() ? "Choose a day." : this.hasNext() ? "Nothing is free in this month. Try the next one." : "Nothing is free at the moment.";
      return make("div", { class: "times none" }, make("p", {}, what));
    }
    const slots = this.byDay.get(this.day);
    const there = slots.some((slot) => !sameClock(slot.start, this.houseZone));
    const parts = PARTS_OF_DAY.map(([name, from, to]) => [name, slots.filter((slot) => hourOf(slot.start) >= from && hourOf(slot.start) < to)]);
    return make("section", { class: "times", "aria-label": longDay(slots[0].start) },
      make("h3", {}, longDay(slots[0].start)),
      parts.filter(([, some]) => some.length).map(([name, some]) => make("div", { class: "part" },
        make("h4", {}, name), make("div", { class: "chips" }, some.map((slot) => this.chip(slot, there))))),
      there && make("p", { class: "zone" }, icon("globe"),
        `Times are yours, in ${zoneWords(HERE)}; below them those of the house, in ${zoneWords(this.houseZone)}.`));
  }

  chip(slot, there) {
    const house = there && time(slot.start, this.houseZone);
    const label = house ? `${time(slot.start)}, at the house ${house}` : time(slot.start);
    return make("button", { type: "button", class: "chip", "data-start": slot.start, "aria-label": label, onclick: () => this.chosen(slot) },
      make("b", {}, time(slot.start)), house && make("small", {}, house));
  }
}
