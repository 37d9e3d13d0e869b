// One visit as a file for a calendar (RFC 5545). Instants are UTC, so no time zone has to be described.

const stamp = (moment) => new Date(moment).toISOString().replace(/[-:]|\.\d{3}/g, "");
const text = (value) => value.replace(/[\\;,]/g, (found) => `\\${found}`).replace(/\r?\n/g, "\\n");

// A line has at most 75 bytes; it goes on after a blank.
function folded(line) {
  const encoder = new TextEncoder();
  const lines = [];
  let current = "", size = 0;
  for (const character of line) {
    const bytes = encoder.encode(character).length;
    if (size + bytes > 74) { lines.push(current); current = " "; size = 1; }
    current += character;
    size += bytes;
  }
  return [...lines, current].join("\r\n");
}

export function calendarFile({ id, version, start, end, title, place, url }) {
  const lines = [
    "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Daybook//Booking page//EN", "METHOD:PUBLISH", "BEGIN:VEVENT",
    `UID:${id}@daybook`, `SEQUENCE:${version}`, `DTSTAMP:${stamp(Date.now())}`, `DTSTART:${stamp(start)}`, `DTEND:${stamp(end)}`,
    `SUMMARY:${text(title)}`, place ? `LOCATION:${text(place)}` : "", url ? `URL:${url}` : "", "END:VEVENT", "END:VCALENDAR",
  ];
  return new Blob([lines.filter(Boolean).map(folded).join("\r\n") + "\r\n"], { type: "text/calendar" });
}
