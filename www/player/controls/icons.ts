// Icons on a 24-unit grid, drawn for this player.

const paths = {
  play: "M8 5.1v13.8c0 .8.9 1.3 1.6.8l10.2-6.9a1 1 0 0 0 0-1.6L9.6 4.3C8.9 3.8 8 4.3 8 5.1z",
  pause: "M7 4.5h3a.5.5 0 0 1 .5.5v14a.5.5 0 0 1-.5.5H7a.5.5 0 0 1-.5-.5V5a.5.5 0 0 1 .5-.5zm7 0h3a.5.5 0 0 1 .5.5v14a.5.5 0 0 1-.5.5h-3a.5.5 0 0 1-.5-.5V5a.5.5 0 0 1 .5-.5z",
  again: "M12 5V2.2a.5.5 0 0 0-.85-.36L7 6l4.15 4.16a.5.5 0 0 0 .85-.36V7a5 5 0 1 1-4.9 6H5.06A7 7 0 1 0 12 5z",
  sound: "M4 9v6h3.6l4.7 4.1a.4.4 0 0 0 .7-.3V5.2a.4.4 0 0 0-.7-.3L7.6 9H4zm12.2-1.6-.9 1.8a3.5 3.5 0 0 1 0 5.6l.9 1.8a5.5 5.5 0 0 0 0-9.2zm2-3.5-.9 1.8a7.5 7.5 0 0 1 0 12.6l.9 1.8a9.5 9.5 0 0 0 0-16.2z",
  muted: "M4 9v6h3.6l4.7 4.1a.4.4 0 0 0 .7-.3V5.2a.4.4 0 0 0-.7-.3L7.6 9H4zm17.4 1.1-1.5-1.5-1.9 2-1.9-2-1.5 1.5 2 1.9-2 1.9 1.5 1.5 1.9-2 1.9 2 1.5-1.5-2-1.9z",
  gear: "M10.3 3h3.4l.5 2.4 1.6.9 2.3-.8 1.7 3-1.8 1.6v1.8l1.8 1.6-1.7 3-2.3-.8-1.6.9-.5 2.4h-3.4l-.5-2.4-1.6-.9-2.3.8-1.7-3L6 11.9v-1.8L4.2 8.5l1.7-3 2.3.8 1.6-.9zM12 8.3a2.7 2.7 0 1 0 0 5.4 2.7 2.7 0 0 0 0-5.4z",
  expand: "M4 10V4.5a.5.5 0 0 1 .5-.5H10v2H6v4zm10-6h5.5a.5.5 0 0 1 .5.5V10h-2V6h-4zM4 14h2v4h4v2H4.5a.5.5 0 0 1-.5-.5zm14 0h2v5.5a.5.5 0 0 1-.5.5H14v-2h4z",
  shrink: "M8 4h2v5.5a.5.5 0 0 1-.5.5H4V8h4zm6 0h2v4h4v2h-5.5a.5.5 0 0 1-.5-.5zM4 14h5.5a.5.5 0 0 1 .5.5V20H8v-4H4zm10 .5a.5.5 0 0 1 .5-.5H20v2h-4v4h-2z",
  captions: "M4.5 5h15A1.5 1.5 0 0 1 21 6.5v11a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 17.5v-11A1.5 1.5 0 0 1 4.5 5zM5 7v10h14V7zm5.7 3.9A1.3 1.3 0 0 0 8.4 12a1.3 1.3 0 0 0 2.3 1.1l1.2.9A2.9 2.9 0 1 1 11.9 10zm5.5 0a1.3 1.3 0 0 0-2.3 1.1 1.3 1.3 0 0 0 2.3 1.1l1.2.9a2.9 2.9 0 1 1 0-4z",
  captionsOn: "M4.5 5h15A1.5 1.5 0 0 1 21 6.5v11a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 17.5v-11A1.5 1.5 0 0 1 4.5 5zm6.2 5.9 1.2-.9a2.9 2.9 0 1 0 0 4l-1.2-.9A1.3 1.3 0 0 1 8.4 12a1.3 1.3 0 0 1 2.3-1.1zm5.5 0 1.2-.9a2.9 2.9 0 1 0 0 4l-1.2-.9A1.3 1.3 0 0 1 13.9 12a1.3 1.3 0 0 1 2.3-1.1z",
  pip: "M4.5 5h15A1.5 1.5 0 0 1 21 6.5v11a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 17.5v-11A1.5 1.5 0 0 1 4.5 5zM5 7v10h14V7zm6.5 5h6v4h-6z",
  close: "M6.4 5 12 10.6 17.6 5 19 6.4 13.4 12l5.6 5.6-1.4 1.4L12 13.4 6.4 19 5 17.6l5.6-5.6L5 6.4z",
};

export type Icon = keyof typeof paths;

const SVG = "http://www.w3.org/2000/svg";

/** Puts an icon into a button, in place of what was in it before, and a text after it. */
export function setIcon(button: HTMLElement, icon: Icon, text = ""): void {
  const shown = `${icon} ${text}`;
  if (button.dataset["icon"] === shown) return;
  button.dataset["icon"] = shown;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", paths[icon]);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  button.replaceChildren(svg, text);
}
