// The booking page: a service, a day, a start, who comes, the code. With a link: the visit, to move or to cancel.

import * as calls from "./calls.js";
import { Calendar } from "./calendar.js";
import { calendarFile } from "./icalendar.js";
import { icon, make } from "./make.js";
import { HERE, dateOf, dayAndTime, duration, fullDay, longDay, price, refusalWords, sameClock, shortDay, time, zoneWords } from "./words.js";

const $ = (selector) => document.querySelector(selector);
const STEPS = ["Service", "Time", "Details", "Code"];
const LINK = new URLSearchParams(location.hash.slice(1)).get("manage");
const state = { house: null, services: [], service: null, slot: null, contact: { by: "email" }, held: null };
let tick = null;

const linkTo = (token) => `${location.origin}/book/${calls.HOUSE_ID}#manage=${token}`;
const chosenTime = (start) => `${longDay(start)}, ${time(start)}`;
const thereToo = (start, zone) => (sameClock(start, zone) ? null : `${dayAndTime(start, zone)} at the house (${zoneWords(zone)})`);

// --- the frame

function show(step, heading, ...content) {
  clearInterval(tick);
  const main = $("main");
  main.replaceChildren(make("h1", { tabindex: "-1" }, heading), ...content.flat().filter(Boolean));
  main.removeAttribute("aria-busy");
  document.title = state.house ? `${heading} · ${state.house.name}` : heading;
  $("#steps").replaceChildren(...(step === null ? [] : STEPS.map((name, n) => make("li", {
    class: n < step ? "done" : n === step ? "now" : "", "aria-current": n === step ? "step" : null,
  }, make("span", { class: "dot", "aria-hidden": "true" }, n < step ? icon("check") : String(n + 1)), make("span", { class: "name" }, name)))));
  if (document.body.dataset.begun) main.querySelector("h1").focus({ preventScroll: true });
  document.body.dataset.begun = "yes";
  window.scrollTo({ top: 0 });
}

function notice(kind, words, ...more) {
  return make("div", { class: `notice ${kind}`, role: kind === "bad" ? "alert" : "status" }, icon(kind === "bad" ? "warn" : "check"), make("div", {}, make("p", {}, words), ...more));
}

// Says no in words, and offers what else can be had as buttons.
function refuse(failed, place, choose) {
  place.querySelectorAll(".notice").forEach((old) => old.remove());
  const problem = failed.problem || { title: "Something went wrong on this page. Please load it again." };
  if (!failed.problem) console.error(failed);
  const others = (choose && problem.alternatives) || [];
  const buttons = others.length ? [make("p", { class: "others" }, "These are free instead:"), make("div", { class: "chips" }, others.map((slot) =>
    make("button", { type: "button", class: "chip wide", "data-start": slot.start, onclick: () => choose(slot) }, make("b", {}, time(slot.start)), make("small", {}, shortDay(slot.start)))))] : [];
  place.prepend(notice("bad", refusalWords(problem), ...buttons));
  place.querySelector(".notice").scrollIntoView({ block: "nearest" });
}

// A button that works is not pressed twice.
async function busily(button, work) {
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    return await work();
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
}

const back = (words, to) => make("button", { type: "button", class: "plain", onclick: to }, icon("left"), words);
const fact = (name, ...words) => make("li", {}, icon(name), make("span", {}, ...words));

function chosen({ start, name, minutes, cost, zone, place }) {
  return make("ul", { class: "facts" },
    fact("tag", make("b", {}, name), ` · ${duration(minutes)}`, cost ? ` · ${price(cost)}` : ""),
    start && fact("day", make("b", {}, chosenTime(start)), thereToo(start, zone) ? make("small", {}, thereToo(start, zone)) : ""),
    place && fact("pin", place.name, place.address ? make("small", {}, place.address) : ""));
}
const summary = () => chosen({ start: state.slot?.start, name: state.service.name, minutes: state.service.duration_min, cost: state.service.price, zone: state.house.time_zone });

// --- 1: what

function chooseService() {
  Object.assign(state, { service: null, slot: null, held: null });
  show(0, "What can we do for you?", make("ul", { class: "services" }, state.services.map((service) => make("li", {},
    make("button", { type: "button", class: "service", "data-service": service.id, onclick: () => pickService(service) },
      make("span", { class: "what" }, service.name),
      make("span", { class: "meta" }, icon("clock"), duration(service.duration_min), service.approval_required && " · on request"),
      service.price && make("span", { class: "price" }, price(service.price)), make("span", { class: "go", "aria-hidden": "true" }, icon("right")))))));
}

function pickService(service) {
  state.service = service;
  return chooseTime();
}

// --- 2: when

function calendarFor(service, zone, chosenSlot, place) {
  const lastDay = dateOf(Date.now() + service.max_advance_days * 86_400_000);
  return new Calendar({ serviceId: service.id, houseZone: zone, lastDay, chosen: chosenSlot, refused: (failed) => refuse(failed, place) });
}

async function chooseTime(day = null) {
  const place = make("div", { class: "stack" });
  const calendar = calendarFor(state.service, state.house.time_zone, (slot) => { state.slot = slot; giveDetails(); }, place);
  place.append(summaryOfService(), calendar.node);
  show(1, "When would you like to come?", place, state.services.length > 1 && back("Another service", chooseService));
  await calendar.open(day);
}
const summaryOfService = () => chosen({ name: state.service.name, minutes: state.service.duration_min, cost: state.service.price, zone: state.house.time_zone });

// --- 3: who

function field(id, label, attributes, hint) {
  const input = make(attributes.rows ? "textarea" : "input", { id, name: id, "aria-describedby": `${id}-hint`, ...attributes });
  return make("div", { class: "field" }, make("label", { for: id }, label), input, make("p", { class: "hint", id: `${id}-hint` }, hint || ""));
}

function giveDetails() {
  const { contact } = state;
  const ways = { email: ["E-mail", "email", "email", "name@example.com", "The code and the confirmation go there."],
    phone: ["Phone", "tel", "tel", "+44 20 7946 0000", "With the country code. The code and the confirmation go there as text messages."] };
  const reached = make("div", {});
  const draw = () => {
    const [label, type, autocomplete, placeholder, hint] = ways[contact.by];
    reached.replaceChildren(field(contact.by, label, { type, autocomplete, placeholder, required: true, maxlength: "254", value: contact[contact.by] || "" }, hint));
  };
  const way = (by, words) => make("label", {}, make("input", { type: "radio", name: "by", value: by, checked: contact.by === by, onchange: () => { contact.by = by; draw(); } }), make("span", {}, words));
  draw();
  const submit = make("button", { type: "submit", class: "main" }, "Send me the code");
  const form = make("form", { class: "stack", novalidate: true, onsubmit: (event) => { event.preventDefault(); busily(submit, () => ask(form)); } },
    summary(),
    field("display_name", "Your name", { autocomplete: "name", required: true, maxlength: "200", value: contact.display_name || "" }),
    make("fieldset", { class: "ways" }, make("legend", {}, "How do we reach you?"), make("div", { class: "segments" }, way("email", "E-mail"), way("phone", "Phone"))),
    reached,
    field("notes", "Anything we should know? (optional)", { rows: "3", maxlength: "2000" }),
    make("p", { class: "small" }, "Your time is kept for a quarter of an hour while you enter the code. Without it, your data is deleted again."),
    submit);
  form.querySelector("#notes").value = contact.notes || "";
  show(2, "Who is coming?", form, back("Another time", () => chooseTime(dateOf(state.slot.start))));
}

function remember(form) {
  const { contact } = state, data = new FormData(form);
  for (const name of ["display_name", "email", "phone", "notes"]) if (data.has(name)) contact[name] = String(data.get(name)).trim();
}

function complain(form, id, words) {
  const input = form.querySelector(`#${id}`);
  if (!input) return false;
  input.setAttribute("aria-invalid", "true");
  const hint = form.querySelector(`#${id}-hint`);
  hint.textContent = words;
  hint.classList.add("wrong");
  input.focus();
  return true;
}

async function ask(form) {
  remember(form);
  form.querySelectorAll("[aria-invalid]").forEach((input) => input.removeAttribute("aria-invalid"));
  form.querySelectorAll(".wrong").forEach((hint) => { hint.classList.remove("wrong"); hint.textContent = ""; });
  const { contact } = state;
  if (!contact.display_name) return complain(form, "display_name", "Please tell us your name.");
  if (!contact[contact.by]) return complain(form, contact.by, contact.by === "email" ? "Please give an e-mail address." : "Please give a phone number.");
  const locale = /^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/.test(navigator.language) ? navigator.language : undefined;
  const wish = { service_id: state.service.id, start: state.slot.start,
    contact: { display_name: contact.display_name, [contact.by]: contact.by === "phone" ? contact.phone.replace(/[^+\d]/g, "") : contact.email, locale } };
  if (contact.notes) wish.notes = contact.notes;
  try {
    state.held = await calls.hold(wish);
    enterCode();
  } catch (failed) {
    const [wrong] = failed.problem?.errors ?? [];
    const id = wrong?.pointer?.split("/").pop();
    if (wrong && complain(form, id, id === "phone" ? "Please give the number with its country code, such as +44 …" : id === "email" ? "That does not look like an e-mail address." : wrong.detail)) return;
    refuse(failed, form, (slot) => { state.slot = slot; remember(form); giveDetails(); });
  }
}

// --- 4: the code

function enterCode(words = null) {
  const { held, contact } = state, to = contact[contact.by];
  const left = make("span", { class: "left", role: "timer" });
  const until = Date.parse(held.held_until);
  const submit = make("button", { type: "submit", class: "main" }, "Confirm");
  const again = make("button", { type: "button", class: "plain", onclick: () => busily(again, async () => {
    try {
      await calls.sendCode(held.id);
      form.querySelectorAll(".notice").forEach((old) => old.remove());
      form.prepend(notice("good", "Another code is on its way. Only the newest one is good."));
    } catch (failed) { refuse(failed, form); }
  }) }, icon("mail"), "Send another code");
  const form = make("form", { class: "stack", novalidate: true, onsubmit: (event) => { event.preventDefault(); busily(submit, () => confirm(form)); } },
    words && notice("good", words), summary(),
    make("p", {}, "We have sent a code of eight digits to ", make("b", { class: "to" }, to), ". Enter it here, and the time is yours."),
    field("code", "Code", { inputmode: "numeric", autocomplete: "one-time-code", pattern: "[0-9 ]*", maxlength: "12", required: true, class: "code", placeholder: "0000 0000" }),
    submit, make("p", { class: "small row" }, left, again));
  const count = () => {
    const seconds = Math.max(0, Math.round((until - Date.now()) / 1000));
    left.textContent = seconds ? `Kept for you for ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` : "The time is kept for you no longer.";
  };
  show(3, "Check your messages", form, back("Change my details", () => giveDetails()));
  count();
  tick = setInterval(count, 1000);
  form.querySelector("#code").focus();
}

async function confirm(form) {
  const code = form.querySelector("#code").value.replace(/\D/g, "");
  if (code.length < 8) return complain(form, "code", "The code has eight digits.");
  try {
    const visit = await calls.confirm(state.held.id, code);
    done(visit);
  } catch (failed) {
    if (failed.slug === "code-refused") return complain(form, "code", refusalWords(failed.problem));
    refuse(failed, form);
    if (["hold-lapsed", "too-many-codes"].includes(failed.slug)) {
      form.querySelector(".notice div").append(make("button", { type: "button", class: "main slim", onclick: () => chooseTime(dateOf(state.slot.start)) }, "Choose a time"));
    }
  }
}

// --- 5: done

function saveButton(visit, title, url, place) {
  const file = calendarFile({ id: visit.id, version: visit.version, start: visit.start, end: visit.end, title, url, place });
  return make("a", { class: "second", href: URL.createObjectURL(file), download: "visit.ics" }, icon("day"), "Add to calendar");
}

function done(visit) {
  const isRequest = visit.status === "pending", url = visit.link_token ? linkTo(visit.link_token) : null;
  const copy = url && make("button", { type: "button", class: "second", onclick: async () => {
    await navigator.clipboard.writeText(url).then(() => { copy.lastChild.textContent = "Copied"; }, () => { copy.lastChild.textContent = "Please copy it from the message"; });
  } }, icon("tag"), make("span", {}, "Copy the link"));
  show(4, isRequest ? "Your request is in" : "See you then!",
    make("div", { class: "finished" }, make("div", { class: "tick" }, icon("check")), make("p", {}, isRequest ? "The house will look at it and write to you." : `We have written to ${state.contact[state.contact.by]}.`)),
    summary(),
    make("div", { class: "actions" }, saveButton(visit, `${state.service.name} · ${state.house.name}`, url),
      url && make("a", { class: "second", href: url, id: "manage", onclick: () => setTimeout(() => location.reload()) }, icon("clock"), "Move or cancel"), copy),
    url && make("p", { class: "small" }, "Whoever has the link can move or cancel the visit. It is in your message, too."),
    make("button", { type: "button", class: "plain", onclick: () => { state.contact.notes = ""; chooseService(); } }, "Book another visit"));
}

// --- with a link

const STATUS = { held: "Not confirmed yet", pending: "Waiting for the house's approval", booked: "Confirmed", arrived: "You are here", fulfilled: "Over", cancelled: "Cancelled", noshow: "Missed" };

async function manage(words = null, failure = null) {
  const visit = await calls.visit(LINK);
  state.house ??= { id: visit.organization_id, name: visit.organization_name, time_zone: visit.time_zone };
  named();
  const may = visit.change_until !== null, isOver = ["cancelled", "fulfilled", "noshow"].includes(visit.status);
  const place = make("div", { class: "stack" });
  const cancelButton = make("button", { type: "button", class: "second danger", onclick: () => sure(visit, place) }, "Cancel the visit");
  place.append(...[words && notice("good", words),
    make("p", { class: `status ${visit.status}` }, STATUS[visit.status]),
    chosen({ start: visit.start, name: visit.service_name, minutes: visit.duration_min, cost: visit.price, zone: visit.time_zone, place: visit.place }),
    make("div", { class: "actions" },
      !isOver && saveButton(visit, `${visit.service_name} · ${visit.organization_name}`, location.href, [visit.place?.name, visit.place?.address].filter(Boolean).join(", ")),
      may && make("button", { type: "button", class: "second", onclick: () => elsewhen(visit) }, icon("clock"), "Another time"), may && cancelButton),
    may && make("p", { class: "small" }, `You can change it here until ${dayAndTime(visit.change_until)}.`),
    !may && !isOver && make("p", { class: "small" }, "It is too late to change it here. Please call the house.")].filter(Boolean));
  show(null, isOver ? "Your visit" : `${fullDay(visit.start)}, ${time(visit.start)}`, place,
    isOver && make("a", { class: "main", href: `/book/${visit.organization_id}` }, "Book a visit"));
  if (failure) refuse(failure, place);
}

function sure(visit, place) {
  const yes = make("button", { type: "button", class: "main danger" }, "Yes, cancel it");
  const dialog = make("dialog", { "aria-labelledby": "sure" }, make("h2", { id: "sure" }, "Cancel this visit?"),
    make("p", {}, `${visit.service_name}, ${chosenTime(visit.start)}. The time goes to somebody else.`),
    make("div", { class: "actions" }, yes, make("button", { type: "button", class: "second", onclick: () => dialog.close() }, "Keep it")));
  yes.addEventListener("click", () => busily(yes, async () => {
    const outcome = await calls.cancel(LINK, visit.etag).then(() => null, (failed) => failed);
    dialog.close();
    await (outcome ? manage(null, outcome) : manage("The visit is cancelled."));
  }));
  dialog.addEventListener("close", () => dialog.remove());
  place.append(dialog);
  dialog.showModal();
}

async function elsewhen(visit) {
  const place = make("div", { class: "stack" });
  const take = async (slot) => {
    try {
      await calls.move(LINK, visit.etag, slot.start);
      await manage("Your visit has moved. This is the new time.");
    } catch (failed) {
      if (failed.slug === "stale-version") return manage(null, failed);
      refuse(failed, place, take);
    }
  };
  const service = { id: visit.service_id, max_advance_days: 366 };
  const calendar = calendarFor(service, visit.time_zone, take, place);
  place.append(make("p", {}, `Now it is ${chosenTime(visit.start)}. You keep that until the new time is yours.`), calendar.node);
  show(null, "Another time", place, back("Keep it as it is", () => manage()));
  await calendar.open(dateOf(visit.start));
}

// --- begin

function named() {
  $("#house").textContent = state.house.name;
  $("#footer").replaceChildren(make("span", {}, `The house keeps the time of ${zoneWords(state.house.time_zone)}`, state.house.time_zone === HERE ? "." : `, you that of ${zoneWords(HERE)}.`));
}

async function begin() {
  try {
    if (LINK) return await manage();
    [state.house, state.services] = await Promise.all([calls.house(), calls.services()]);
    named();
    if (state.services.length === 1) return await pickService(state.services[0]);
    chooseService();
  } catch (failed) {
    const place = make("div", { class: "stack" });
    show(null, "Nothing here", place);
    refuse(failed, place);
  }
}
window.addEventListener("hashchange", () => location.reload());
begin();
