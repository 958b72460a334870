// Many points on a canvas over the axes of a plot: plotly takes a second for 13,000 of its own, this a few hundredths.
"use strict";

const NEAR = 14, TOUCHED = 26;  // pixels from a point within which it is meant, by a mouse and by a finger

class Cloud {
  // said: m → lines of a point's label; choose: m → what a click does
  constructor(box, said, choose) {
    Object.assign(this, {box, said, choose, xs: [], ys: [], ring: null, canvas: document.createElement("canvas"), tip: document.createElement("div")});
    this.canvas.className = "cloud";
    this.tip.className = "tip";
    this.tip.hidden = true;
    drawn.set(box, () => this.draw());
    let from = null;
    box.addEventListener("pointerdown", event => { from = event; });
    addEventListener("pointerup", event => {
      const still = from && Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY) < 5, m = still ? this.near(event) : null;
      from = null;
      if (m !== null) this.choose(m);
    }, true);
    box.addEventListener("pointermove", event => this.tell(event.buttons ? null : this.near(event)));
    box.addEventListener("pointerleave", () => this.tell(null));
  }
  // Values on the two axes; the plot itself is drawn by plotly, empty.
  fill(xs, ys, color) { Object.assign(this, {xs, ys, color}); }
  mark(m) {
    this.ring = m;
    if (this.box._fullLayout) this.draw();
  }
  place(m) {
    const {xaxis, yaxis} = this.box._fullLayout;
    return [xaxis._offset + xaxis.d2p(this.xs[m]), yaxis._offset + yaxis.d2p(this.ys[m])];
  }
  near(event) {
    if (!this.box._fullLayout) return null;
    const frame = this.box.getBoundingClientRect(), x = event.clientX - frame.left, y = event.clientY - frame.top;
    let best = null, least = event.pointerType === "touch" ? TOUCHED : NEAR;
    for (let m = 0; m < this.xs.length; m++) {
      const [px, py] = this.place(m), apart = Math.hypot(px - x, py - y);
      if (apart < least) { best = m; least = apart; }
    }
    return best;
  }
  tell(m) {
    this.tip.hidden = m === null;
    if (m === null) return;
    const [x, y] = this.place(m), right = x > this.box.clientWidth / 2;
    this.tip.replaceChildren(...this.said(m).map(line => Object.assign(document.createElement("div"), {textContent: line})));
    Object.assign(this.tip.style, {top: `${y + 12}px`, left: right ? "" : `${x + 12}px`, right: right ? `${this.box.clientWidth - x + 12}px` : ""});
  }
  draw() {
    const {xaxis, yaxis, width, height} = this.box._fullLayout, sharp = devicePixelRatio, pen = this.canvas.getContext("2d");
    if (!this.canvas.isConnected) this.box.append(this.canvas, this.tip);
    Object.assign(this.canvas, {width: width * sharp, height: height * sharp});  // which clears it
    Object.assign(this.canvas.style, {width: `${width}px`, height: `${height}px`});
    pen.scale(sharp, sharp);
    pen.beginPath();
    pen.rect(xaxis._offset, yaxis._offset, xaxis._length, yaxis._length);
    pen.clip();
    const radius = this.xs.length > 3000 ? 2.2 : 3.5, dot = this.dot(radius, sharp);
    for (let m = 0; m < this.xs.length; m++) {
      const [x, y] = this.place(m);  // what is not a number is not drawn
      pen.drawImage(dot, x - radius - 1, y - radius - 1, 2 * radius + 2, 2 * radius + 2);
    }
    if (this.ring === null) return;
    const [x, y] = this.place(this.ring);
    pen.beginPath();
    pen.arc(x, y, 8, 0, 2 * Math.PI);
    Object.assign(pen, {strokeStyle: style("--second"), lineWidth: 3});
    pen.stroke();
  }
  dot(radius, sharp) {
    const dot = document.createElement("canvas"), side = Math.ceil((2 * radius + 2) * sharp), pen = dot.getContext("2d");
    dot.width = dot.height = side;
    pen.globalAlpha = 0.6;
    pen.fillStyle = style(this.color);
    pen.arc(side / 2, side / 2, radius * sharp, 0, 2 * Math.PI);
    pen.fill();
    return dot;
  }
}
