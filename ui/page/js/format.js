// Numbers with fitting decimals, times in the reader's zone.

const numbers = new Map();

/** Spell a number with at most so many decimals and, the more of them it has before the point, so many digits in all; a dash for none. */
export function number(found, most = 2, digits = 5) {
  if (found === null || found === undefined) return "–";
  const decimals = Math.min(most, Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(found) || 1))));
  if (!numbers.has(decimals)) {
    numbers.set(
      decimals,
      new Intl.NumberFormat(undefined, { minimumFractionDigits: decimals, maximumFractionDigits: decimals }),
    );
  }
  return numbers.get(decimals).format(found);
}

const free = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 });

/** Spell the value of a setting: on and off, a number without superfluous zeros, a text. */
export function value(found, unit = "") {
  if (found === null || found === undefined) return "–";
  if (typeof found === "boolean") return found ? "on" : "off";
  if (typeof found === "number") return free.format(found) + (unit ? `\u202f${unit}` : "");
  return found;
}

const coarse = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 4 });

/** Spell what the hardware says: four digits, for it answers in steps of its own. */
export function measured(found, unit = "") {
  return typeof found === "number" ? coarse.format(found) + (unit ? `\u202f${unit}` : "") : value(found, unit);
}

/** Spell an age in seconds. */
export function age(seconds) {
  if (!Number.isFinite(seconds)) return "never";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 100) return `${whole} s`;
  if (whole < 6000) return `${Math.round(whole / 60)} min`;
  if (whole < 172800) return `${Math.round(whole / 3600)} h`;
  return `${Math.round(whole / 86400)} days`;
}

const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });

/** Spell a time in the reader's zone. */
export function moment(iso) {
  return moments.format(new Date(iso));
}

const ABBREVIATED = { ph: "pH", orp: "ORP", co2: "CO₂" };

/** A name with its underscores and dashes as spaces, for people. */
export function words(name) {
  if (name in ABBREVIATED) return ABBREVIATED[name];
  const spaced = name.replace(/[_-]/g, " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

/** A unit behind a number; none where the name says it already. */
export const unitBehind = (unit, label) => (unit && unit.toLowerCase() !== label.toLowerCase() ? ` ${unit}` : "");

/** Spell a quality. */
export function quality(name) {
  return name === "ok" ? "" : name.replace(/_/g, " ");
}
