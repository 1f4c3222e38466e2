// What the theme leaves undone for those who read by keyboard or screen reader. Nothing is fetched.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelector("aside.sidebar-drawer")?.setAttribute("aria-label", "Pages");
  document.querySelector("aside.toc-drawer")?.setAttribute("aria-label", "On this page");

  // A signature of several lines is written as a list of definitions without terms, which is no list.
  document.querySelectorAll("dt.sig dl").forEach((list) => {
    const lines = document.createElement("span");
    lines.className = "signature-lines";
    for (const item of list.children) {
      const line = document.createElement("span");
      line.append(...item.childNodes);
      lines.append(line);
    }
    list.replaceWith(lines);
  });

  // The corner of a table is no heading.
  document.querySelectorAll("th").forEach((head) => {
    if (head.textContent.trim() === "") head.replaceWith(document.createElement("td"));
  });

  // What scrolls sideways can be reached and scrolled by keyboard, in windows of every width.
  const scrolling = () =>
    document.querySelectorAll("article pre, .table-wrapper, div.math, .output_html").forEach((part) => {
      if (part.scrollWidth > part.clientWidth) part.setAttribute("tabindex", "0");
      else part.removeAttribute("tabindex");
    });
  scrolling();
  window.addEventListener("load", scrolling);
  window.addEventListener("resize", scrolling);
});
