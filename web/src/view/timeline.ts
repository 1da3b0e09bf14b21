// The live timeline: follows the newest micro-turn until it is paused, scrolled or walked through with the keyboard.

import type { TurnEvent } from "../protocol";
import { type Column, drawTimeline } from "./drawing";
import { clockText, find, make } from "./elements";
import { CELL, describe, type Lane, layOut, percentiles } from "./lanes";

const MAX_TURNS = 18_000; // an hour
const THUMBNAIL_HEIGHT = 34;
const THUMBNAIL_TURNS = 3; // one picture stands for so many micro-turns
const NUM_FOR_FIGURES = 1500;

export class Timeline {
  private readonly scroller = find("strip");
  private readonly canvas = this.scroller.querySelector("canvas") as HTMLCanvasElement;
  private readonly spacer = this.scroller.querySelector(".strip-width") as HTMLElement;
  private readonly detail = find("detail");
  private readonly followButton = find("follow");
  private readonly restingDetail = this.detail.textContent;
  private columns: Column[] = [];
  private chosen: number | null = null; // position in `columns`
  private isFollowing = true;
  private startX = 0; // where the first cell starts: few turns stand at the right edge, where new ones come
  private placedLeft: number | null = null; // where our own scrolling left the strip
  private isDrawn = true;
  private lanes: Lane[] = [];
  private waitingFrames: { num: number; picture: HTMLCanvasElement | null } = { num: 0, picture: null };
  private lastPictureTurn = Number.NEGATIVE_INFINITY;

  constructor() {
    const { scroller } = this;
    this.followButton.onclick = () => this.setFollowing(!this.isFollowing);
    scroller.onscroll = () => this.scrolled();
    scroller.onpointermove = (event) => this.choose(this.positionAt(event));
    scroller.onpointerdown = (event) => this.choose(this.positionAt(event));
    scroller.onpointerleave = ({ pointerType }) => pointerType === "mouse" && this.choose(null);
    scroller.onkeydown = (event) => this.walk(event);
    new ResizeObserver(() => this.redraw()).observe(scroller);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    this.arrange(false);
  }

  reset(): void {
    this.columns = [];
    this.chosen = null;
    this.waitingFrames = { num: 0, picture: null };
    this.lastPictureTurn = Number.NEGATIVE_INFINITY;
    find("numbers").textContent = "";
    this.detail.textContent = this.restingDetail;
    this.arrange(false);
    this.setFollowing(true);
  }

  /** A frame left for the server: it is drawn at the micro-turn that comes next. */
  addFrame(picture: HTMLCanvasElement): void {
    if (this.lanes.every((lane) => lane.name !== "sees")) this.arrange(true);
    this.waitingFrames = { num: this.waitingFrames.num + 1, picture };
  }

  add(turn: TurnEvent): void {
    const { num, picture } = this.waitingFrames;
    this.waitingFrames = { num: 0, picture: null };
    this.columns.push({ turn, numFrames: num, thumbnail: picture && this.thumbnail(picture, turn.index) });
    if (this.columns.length > MAX_TURNS) this.forgetOldest();
    this.scroller.dataset.turns = String(this.columns.length);
    if (this.columns.length % 5 === 0) this.showFigures();
    this.redraw();
  }

  /** What is looked at stays where it is. */
  private forgetOldest(): void {
    this.columns.shift();
    if (this.chosen !== null) this.chosen = Math.max(0, this.chosen - 1);
    if (!this.isFollowing) this.scroller.scrollLeft -= CELL;
  }

  redraw(): void {
    if (!this.isDrawn) return;
    this.isDrawn = false;
    requestAnimationFrame(() => {
      this.isDrawn = true;
      this.draw();
    });
  }

  /** A small copy of a frame, as wide as the time until the next one. */
  private thumbnail(picture: HTMLCanvasElement, index: number): HTMLCanvasElement | null {
    if (index - this.lastPictureTurn < THUMBNAIL_TURNS) return null;
    this.lastPictureTurn = index;
    const small = document.createElement("canvas");
    small.width = THUMBNAIL_TURNS * CELL * 2;
    small.height = THUMBNAIL_HEIGHT * 2;
    const scale = Math.max(small.width / picture.width, small.height / picture.height);
    const [width, height] = [picture.width * scale, picture.height * scale];
    const [x, y] = [(small.width - width) / 2, (small.height - height) / 2];
    small.getContext("2d")?.drawImage(picture, x, y, width, height);
    return small;
  }

  private arrange(hasSight: boolean): void {
    const { lanes, height } = layOut(hasSight);
    this.lanes = lanes;
    this.canvas.style.height = `${height}px`;
    find("lanes").replaceChildren(
      ...lanes.map((lane) => {
        const label = make("span", lane.name, lane.label);
        label.style.height = `${lane.height}px`;
        return label;
      }),
    );
    this.redraw();
  }

  private setFollowing(isFollowing: boolean): void {
    this.isFollowing = isFollowing;
    this.followButton.dataset.on = String(!isFollowing);
    this.followButton.textContent = isFollowing ? "Pause" : "Follow";
    this.redraw();
  }

  /** The user's scrolling pauses, and at the end follows again; our own says nothing, and may come after a click on Pause. */
  private scrolled(): void {
    const isOurs = this.scroller.scrollLeft === this.placedLeft;
    if (!isOurs) this.placedLeft = null;
    if (isOurs || this.isAtEnd() === this.isFollowing) this.redraw();
    else this.setFollowing(this.isAtEnd());
  }

  private isAtEnd(): boolean {
    const { scrollLeft, clientWidth, scrollWidth } = this.scroller;
    return scrollWidth - scrollLeft - clientWidth < 2 * CELL;
  }

  private positionAt(event: PointerEvent): number {
    const x = event.clientX - this.scroller.getBoundingClientRect().left + this.scroller.scrollLeft;
    return Math.floor((x - this.startX) / CELL);
  }

  private choose(position: number | null): void {
    const column = position === null ? undefined : this.columns[position];
    this.chosen = column ? position : null;
    this.detail.textContent = column
      ? `${clockText(column.turn.start_ms)}  ·  ${describe(column.turn, column.numFrames)}`
      : this.restingDetail;
    this.redraw();
  }

  private walk(event: KeyboardEvent): void {
    const last = this.columns.length - 1;
    const from = this.chosen ?? last;
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    const position = Math.max(0, Math.min(last, to));
    this.setFollowing(position === last);
    this.choose(position);
    const x = this.startX + position * CELL;
    const { scrollLeft, clientWidth } = this.scroller;
    if (x < scrollLeft || x + CELL > scrollLeft + clientWidth) this.scroller.scrollLeft = x - clientWidth / 2;
  }

  private showFigures(): void {
    const recent = this.columns.slice(-NUM_FOR_FIGURES);
    const { half, most } = percentiles(recent.map(({ turn }) => turn.compute_ms));
    const numLate = recent.filter(({ turn }) => turn.late).length;
    find("numbers").textContent =
      `half within ${half.toFixed(0)} ms, 99 % within ${most.toFixed(0)} ms${numLate ? `, ${numLate} late` : ""}`;
  }

  private draw(): void {
    const { scroller, canvas } = this;
    const width = scroller.clientWidth;
    const height = canvas.clientHeight;
    const scale = devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.width = `${width}px`;
    const long = this.columns.length * CELL;
    if (this.isFollowing) this.startX = Math.max(0, width - long); // paused, what is there stands still
    this.spacer.style.width = `${Math.max(width, this.startX + long)}px`;
    if (this.isFollowing) {
      scroller.scrollLeft = scroller.scrollWidth;
      this.placedLeft = scroller.scrollLeft;
    }
    const pen = canvas.getContext("2d");
    if (!pen) return;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    drawTimeline(pen, {
      columns: this.columns,
      lanes: this.lanes,
      originX: this.startX - scroller.scrollLeft,
      width,
      height,
      chosen: this.chosen,
    });
  }
}
