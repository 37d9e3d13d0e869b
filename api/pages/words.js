// Times and prices as people write them, and refusals as one would say them.

export const LOCALE = navigator.languages?.length ? [...navigator.languages] : undefined;
export const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

const format = (options) => {
  const kept = new Map();
  return (moment, zone = HERE) => {
    if (!kept.has(zone)) kept.set(zone, new Intl.DateTimeFormat(LOCALE, { ...options, timeZone: zone }));
    return kept.get(zone).format(new Date(moment));
  };
};

export const time = format({ hour: "numeric", minute: "2-digit" });
export const longDay = format({ weekday: "long", day: "numeric", month: "long" });
export const shortDay = format({ weekday: "short", day: "numeric", month: "short" });
export const fullDay = format({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
export const dayAndTime = format({ weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });
const parts = (() => {
  const kept = new Map();
  return (moment, zone) => {
    if (!kept.has(zone)) {
      kept.set(zone, new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", hourCycle: "h23" }));
    }
    return Object.fromEntries(kept.get(zone).formatToParts(new Date(moment)).map(({ type, value }) => [type, value]));
  };
})();

// The date there, as 2027-03-01.
export function dateOf(moment, zone = HERE) {
  const { year, month, day } = parts(moment, zone);
  return `${year}-${month}-${day}`;
}
export const hourOf = (moment, zone = HERE) => Number(parts(moment, zone).hour);

export const zoneWords = (zone) => zone.split("/").pop().replaceAll("_", " ");
export const sameClock = (moment, zone) => time(moment) === time(moment, zone) && dateOf(moment) === dateOf(moment, zone);

export function duration(minutes) {
  const hours = Math.floor(minutes / 60), rest = minutes % 60;
  return [hours ? `${hours} h` : "", rest ? `${rest} min` : ""].filter(Boolean).join(" ");
}

export function price({ amount, currency }) {
  const money = new Intl.NumberFormat(LOCALE, { style: "currency", currency });
  return money.format(amount / 10 ** money.resolvedOptions().maximumFractionDigits);
}

// What a refusal comes to for whoever reads it. What is not here is told in the API's own words.
const REFUSALS = {
  "slot-taken": "Somebody was faster: this time has just been taken.",
  "session-full": "This time has just been filled.",
  "outside-working-hours": "The house is not open at that time.",
  "resource-closed": "The house is closed at that time.",
  "closed-for-holiday": "The house keeps a holiday that day.",
  "resource-retired": "This time is no longer to be had.",
  "too-soon": "That is too soon: the house needs a little more notice.",
  "too-far-ahead": "That is too far ahead: the house does not take bookings for that day yet.",
  "off-grid": "Visits do not begin at that time.",
  "booking-limit-reached": "No more visits are taken in that period.",
  "customer-elsewhere": "You have another visit at that time.",
  "hold-lapsed": "The time that was kept for you has run out. Nothing was booked; please choose again.",
  "code-refused": "That code is not right, or it is over. Please check it, or ask for another.",
  "code-under-way": "A code is on its way already. Look for it, or ask again in a minute.",
  "too-many-codes": "No more codes can be sent for this visit. Please choose a time again.",
  "too-many-open": "There are unfinished bookings under this contact. Confirm one, or wait until they lapse.",
  "too-many-requests": "That was a little fast. Please wait a moment and try again.",
  "cancelled-too-late": "It is too late to change this online. Please call the house.",
  "not-in-that-state": "This visit cannot be changed any more.",
  "stale-version": "The visit has changed meanwhile. This is how it is now.",
  "link-refused": "This link is not good any more. A newer one was sent, or the visit was long ago.",
  "not-found": "There is nothing to book at this address.",
};

export function refusalWords(problem) {
  const slug = String(problem.type || "").split("/").pop();
  if (slug === "invalid-request" || slug === "invalid-value") return problem.detail || problem.title;
  return REFUSALS[slug] || problem.title || "That did not work. Please try again.";
}
