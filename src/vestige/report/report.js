"use strict";
document.documentElement.classList.add("script");
const payload = JSON.parse(document.getElementById("payload").textContent);
const DASH = "–";

/* Which method, measure and samples are shown stands in the address, behind the name of a section if there is one:
   #samples&method=retrain&find=record-17. A link to that address shows the same. */
const pickMethod = document.getElementById("pick-method");
const pickMeasure = document.getElementById("pick-measure");
const pickers = Object.entries({ method: pickMethod, measure: pickMeasure }).filter(([, picker]) => picker);
const filter = { find: "", verdict: "" };
const listings = [];

function address() {
  const parts = location.hash.slice(1).split("&");
  const section = parts[0].includes("=") ? "" : parts.shift();
  return [section, new URLSearchParams(parts.join("&"))];
}

function remember() {
  const chosen = new URLSearchParams();
  for (const [name, picker] of pickers) {
    const option = picker.selectedOptions[0];
    if (!option.matches(picker.dataset.first)) chosen.set(name, option.textContent);
  }
  for (const [name, text] of Object.entries(filter)) if (text) chosen.set(name, text);
  const hash = [address()[0], chosen.toString()].filter(Boolean).join("&");
  history.replaceState(null, "", "#" + hash);
}

function showPanels() {
  for (const panel of document.querySelectorAll(".panel")) {
    const otherMethod = pickMethod && panel.dataset.method !== pickMethod.value;
    const otherMeasure = pickMeasure && panel.dataset.measure && panel.dataset.measure !== pickMeasure.value;
    panel.hidden = Boolean(otherMethod || otherMeasure);
  }
}

function showAddress() {
  const [section, wanted] = address();
  for (const [name, picker] of pickers) {
    const option = [...picker.options].find((one) => one.textContent === wanted.get(name));
    picker.value = (option ?? picker.querySelector(picker.dataset.first)).value;
  }
  filter.find = wanted.get("find") ?? "";
  filter.verdict = wanted.get("verdict") ?? "";
  showPanels();
  for (const show of listings) show();
  if (section && wanted.size) document.getElementById(section)?.scrollIntoView();
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/* Text as a spreadsheet shows it: what it would compute, such as "=1+1", gets a quote before it. */
function csvText(text) {
  const formula = /^[=+\-@\t\r\n＝＋－＠]/.test(text) && Number.isNaN(Number(text));
  return '"' + (formula ? "'" + text : text).replaceAll('"', '""') + '"';
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

  function matching() {
    const wanted = find.value.trim().toLowerCase();
    const verdict = outcomes.findIndex(([key]) => key === only.value);
    return order.filter(([cells]) =>
      (verdict < 0 || cells[answer] === verdict) &&
      (!wanted || searched.some((place) => (cells[place] ?? "").toLowerCase().includes(wanted))));
  }

  function show() {
    const found = matching();
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
  /* All that matches, in the order that is shown. Numbers are whole; an answer is its name. */
  function download() {
    const shown = kinds.map((kind, place) => place).filter((place) => kinds[place] !== "picture");
    const titles = [...root.querySelectorAll("thead th")].map((head) => head.textContent);
    const lines = matching().map(([cells, keys]) => shown.map((place) => {
      if (cells[place] === null) return "";
      if (kinds[place] === "badge") return outcomes[cells[place]][0];
      const number = kinds[place] === "number" && !/\d .*\d/.test(cells[place]);
      return number ? String(keys[numbers.indexOf(place)] ?? "") : csvText(cells[place]);
    }));
    const text = [shown.map((place) => csvText(titles[place])), ...lines].map((line) => line.join(",")).join("\n") + "\n";
    const link = element("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
    const method = pickMethod ? pickMethod.selectedOptions[0].textContent : document.title;
    link.download = method.replaceAll(/[^\p{L}\p{N}]+/gu, "-") + ".csv";
    link.click();
    URL.revokeObjectURL(link.href);
  }

  function choose() {
    filter.find = find.value;
    filter.verdict = only.value;
    for (const again of listings) again();
    remember();
  }
  find.addEventListener("input", choose);
  only.addEventListener("change", choose);
  root.querySelector(".csv").addEventListener("click", download);
  previous.addEventListener("click", () => { page -= 1; show(); });
  next.addEventListener("click", () => { page += 1; show(); });
  listings.push(() => {
    if (find.value !== filter.find) find.value = filter.find;
    only.value = filter.verdict;
    if (only.selectedIndex < 0) only.value = "";
    page = 0;
    show();
  });
}
for (const root of document.querySelectorAll("[data-listing]")) listing(root);
for (const [, picker] of pickers) {
  picker.addEventListener("change", () => { showPanels(); remember(); });
}
showAddress();
window.addEventListener("hashchange", () => {
  if (address()[1].size) showAddress();
  else remember();
});

window.addEventListener("beforeprint", () => {
  for (const closed of document.querySelectorAll("details")) closed.open = true;
});
