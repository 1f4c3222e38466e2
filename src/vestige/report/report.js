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

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/* Cells as the first rows have them. */
function cellOf(kind, value, name, outcomes) {
  const cell = element("td", kind === "id" || kind === "number" ? kind : "");
  if (value === null) {
    cell.textContent = DASH;
  } else if (kind === "picture") {
    const made = element("span", "picture picture-" + value);
    made.setAttribute("role", "img");
    made.setAttribute("aria-label", "Picture of sample " + name);
    cell.append(made);
  } else if (kind === "badge") {
    const [key, word, sign] = outcomes[value];
    const made = element("span", "badge " + key);
    const mark = element("span", "", sign);
    mark.setAttribute("aria-hidden", "true");
    made.append(mark, " " + word);
    cell.append(made);
  } else {
    cell.textContent = value;
  }
  return cell;
}

/* Missing values come last whichever way a column is sorted. */
function compare(key, sign) {
  const words = new Intl.Collator("en", { numeric: true });
  return (one, two) => {
    const a = key(one), b = key(two);
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" ? a - b : words.compare(a, b));
  };
}

function listing(root) {
  const { kinds, rows, outcomes, length } = payload.listings[Number(root.dataset.listing)];
  const body = root.querySelector("tbody");
  const find = root.querySelector(".find");
  const only = root.querySelector(".only");
  const previous = root.querySelector(".previous");
  const next = root.querySelector(".next");
  const heads = [...root.querySelectorAll("th[data-column]")];
  const name = kinds.indexOf("id");
  const answer = kinds.indexOf("badge");
  const numbers = kinds.map((kind, place) => place).filter((place) => kinds[place] === "number");
  const searched = kinds.map((kind, place) => place).filter((place) => kinds[place] === "id" || kinds[place] === "");
  let order = rows;
  let page = 0;

  function tableRow([cells]) {
    const made = element("tr");
    made.append(...cells.map((value, place) => cellOf(kinds[place], value, cells[name], outcomes)));
    return made;
  }

  function show() {
    const wanted = find.value.trim().toLowerCase();
    const verdict = outcomes.findIndex(([key]) => key === only.value);
    const found = order.filter(([cells]) =>
      (verdict < 0 || cells[answer] === verdict) &&
      (!wanted || searched.some((place) => (cells[place] ?? "").toLowerCase().includes(wanted))));
    const pages = Math.max(1, Math.ceil(found.length / length));
    page = Math.min(page, pages - 1);
    const start = page * length;
    const shown = found.slice(start, start + length);
    body.replaceChildren(...shown.map(tableRow));
    if (!shown.length) {
      const cell = element("td", "", "No sample matches.");
      cell.colSpan = kinds.length;
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
    const column = Number(head.dataset.column);
    const place = numbers.indexOf(column);
    order = [...rows].sort(compare(([cells, keys]) => (place < 0 ? cells[column] : keys[place]), sign));
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
for (const root of document.querySelectorAll("[data-listing]")) listing(root);

window.addEventListener("beforeprint", () => {
  for (const closed of document.querySelectorAll("details")) closed.open = true;
});
