// A click on the large picture shows the next one; the arrow keys do so by themselves.
for (const flip of document.querySelectorAll(".flip")) {
  const inputs = [...flip.querySelectorAll("input")];
  flip.querySelector(".stage").addEventListener("click", () => {
    const shown = inputs.findIndex((input) => input.checked);
    const next = inputs[(shown + 1) % inputs.length];
    next.checked = true;
    next.focus({ preventScroll: true });
  });
}
