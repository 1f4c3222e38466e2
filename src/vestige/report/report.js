"use strict";
document.documentElement.classList.add("script");
const payload = JSON.parse(document.getElementById("payload").textContent);
const DASH = "–";

/* Which method and measure the sections show. */
const pickMethod = document.getElementById("pick-method");
const pickMeasure = document.getElementById("pick-measure");

function showPanels() {
  for (const panel of document.querySelectorAll(".panel")) {
    const otherMethod = pickMethod && panel.dataset.method !== pickMethod.value;
    const otherMeasure = pickMeasure && panel.dataset.measure && panel.dataset.measure !== pickMeasure.value;
    panel.hidden = Boolean(otherMethod || otherMeasure);
  }
}
for (const picker of [pickMethod, pickMeasure]) {
  if (picker) picker.addEventListener("change", showPanels);
}
showPanels();

/* Numbers as the first rows have them: significant digits, no trailing zeros, 1e-5 for small ones. */
function number(value, digits) {
  if (value === null) return DASH;
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  const size = Math.abs(value);
  if (size < 1e-4 || size >= Math.pow(10, digits)) {
    const [mantissa, power] = value.toExponential(digits - 1).split("e");
    return Number(mantissa) + "e" + Number(power);
  }
  return String(Number(value.toPrecision(digits)));
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function badge(verdict) {
  const cell = element("td");
  if (verdict === null) {
    cell.textContent = DASH;
    return cell;
  }
  const [key, word, sign] = payload.verdicts[verdict];
  const made = element("span", "badge " + key);
  const mark = element("span", "", sign);
  mark.setAttribute("aria-hidden", "true");
  made.append(mark, " " + word);
  cell.append(made);
  return cell;
}

function picture(id) {
  const cell = element("td");
  if (!Object.hasOwn(payload.pictures, id)) {
    cell.textContent = DASH;
    return cell;
  }
  const made = element("span", "picture picture-" + payload.pictures[id]);
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", "Picture of sample " + id);
  cell.append(made);
  return cell;
}

function tableRow(row, withPicture, { degrees, intervals }) {
  const [id, label, score, low, high, under, over, verdict, share, least, most] = row;
  const interval = low === null || high === null ? DASH : number(low, 4) + " to " + number(high, 4);
  const end = (value) => number(value, 2)
    + (value <= payload.degrees[0] ? " or less" : value >= payload.degrees[1] ? " or more" : "");
  const degree = share === null || least === null || most === null ? DASH : end(share) + " (" + end(least) + " to " + end(most) + ")";
  const made = element("tr");
  if (withPicture) made.append(picture(id));
  made.append(element("td", "id", id), element("td", "", label), badge(verdict));
  const numbers = [number(under, 3), number(over, 3), number(score, 4)];
  if (degrees) numbers.unshift(degree);
  if (intervals) numbers.push(interval);
  for (const text of numbers) made.append(element("td", "number", text));
  return made;
}

/* Missing values come last whichever way a column is sorted. */
function compare(column, sign) {
  const words = new Intl.Collator("en", { numeric: true });
  return (one, two) => {
    const a = one[column], b = two[column];
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" ? a - b : words.compare(a, b));
  };
}

function sampleTable(root) {
  const method = payload.methods[Number(root.dataset.samples)];
  const { rows } = method;
  const body = root.querySelector("tbody");
  const find = root.querySelector(".find");
  const only = root.querySelector(".only");
  const previous = root.querySelector(".previous");
  const next = root.querySelector(".next");
  const heads = [...root.querySelectorAll("th[data-column]")];
  const withPicture = Object.keys(payload.pictures).length > 0;
  let order = rows;
  let page = 0;

  function show() {
    const wanted = find.value.trim().toLowerCase();
    const verdict = payload.verdicts.findIndex(([key]) => key === only.value);
    const found = order.filter((row) =>
      (verdict < 0 || row[7] === verdict) &&
      (!wanted || row[0].toLowerCase().includes(wanted) || row[1].toLowerCase().includes(wanted)));
    const pages = Math.max(1, Math.ceil(found.length / payload.page));
    page = Math.min(page, pages - 1);
    const start = page * payload.page;
    const shown = found.slice(start, start + payload.page);
    body.replaceChildren(...shown.map((row) => tableRow(row, withPicture, method)));
    if (!shown.length) {
      const cell = element("td", "", "No sample matches.");
      cell.colSpan = heads.length + withPicture;
      body.append(element("tr"));
      body.lastChild.append(cell);
    }
    root.querySelector(".count").textContent =
      found.length.toLocaleString("en-US") + " of " + rows.length.toLocaleString("en-US") + " listed";
    root.querySelector(".where").textContent = shown.length
      ? (start + 1).toLocaleString("en-US") + " to " + (start + shown.length).toLocaleString("en-US") : "0";
    previous.disabled = page === 0;
    next.disabled = page >= pages - 1;
  }

  function sortBy(head) {
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    order = [...rows].sort(compare(Number(head.dataset.column), sign));
    page = 0;
    show();
  }

  for (const head of heads) {
    const button = element("button", "", head.textContent);
    button.type = "button";
    button.addEventListener("click", () => sortBy(head));
    head.replaceChildren(button);
  }
  find.addEventListener("input", () => { page = 0; show(); });
  only.addEventListener("change", () => { page = 0; show(); });
  previous.addEventListener("click", () => { page -= 1; show(); });
  next.addEventListener("click", () => { page += 1; show(); });
  show();
}
for (const root of document.querySelectorAll("[data-samples]")) sampleTable(root);

window.addEventListener("beforeprint", () => {
  for (const closed of document.querySelectorAll("details")) closed.open = true;
});
