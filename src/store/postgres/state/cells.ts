/**
 * Places as numbers that a B-tree can range over. A cell is the number of a square in a grid of 2^26 by 2^26 over the
 * Earth (60 cm at the equator), in Z order: neighbouring squares mostly have neighbouring numbers, so a rectangle is a
 * few ranges. A B-tree, since it can begin with the topic, and needs no extension.
 */

import type { Rectangle } from "../../../core/index.js";

/** Bits of one axis. A cell has 52 bits: a JavaScript number holds it exactly. */
const axisBits = 26;
const axisCells = 2 ** axisBits;
const halfBits = axisBits / 2;
const halfCells = 2 ** halfBits;
/**
 * The most ranges for a rectangle. Each costs a descent of the index, but more ranges follow its edges more closely.
 */
const rangesMax = 32;

export interface CellRange {
  readonly low: number;
  /** Inclusive. */
  readonly high: number;
}

/** The cell of a place. Migration 003 computes it too, in SQL. */
export function cellOf({ latitude, longitude }: { readonly latitude: number; readonly longitude: number }): number {
  return interleave(columnOf(longitude), rowOf(latitude));
}

/** Ascending ranges that cover every cell of the rectangle, and few others. */
export function cellRanges(rectangle: Rectangle): CellRange[] {
  const { south, west, north, east } = rectangle;
  if (west <= east) return rangesOf(gridOf(rectangle), rangesMax);
  const half = rangesMax / 2;
  return joinRanges([
    ...rangesOf(gridOf({ south, west, north, east: 180 }), half),
    ...rangesOf(gridOf({ south, west: -180, north, east }), half),
  ]);
}

/** A rectangle in cells; its edges are inclusive. */
interface Grid {
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
  readonly top: number;
}

/** A square of the grid: `size` is a power of two, and divides its corner. */
interface Square {
  readonly column: number;
  readonly row: number;
  readonly size: number;
}

function rangesOf(grid: Grid, max: number): CellRange[] {
  const inside: Square[] = [];
  let edges: Square[] = [{ column: 0, row: 0, size: axisCells }];
  // Each round halves the squares on the edge, until they are single cells or would be too many.
  for (;;) {
    const halves = edges.filter((square) => square.size > 1).flatMap(quarters);
    const meeting = halves.filter((square) => meets(square, grid));
    if (meeting.length === 0 || inside.length + meeting.length > max) break;
    edges = [];
    for (const square of meeting) (isWithin(square, grid) ? inside : edges).push(square);
    if (edges.length === 0) break;
  }
  return joinRanges([...inside, ...edges].map(rangeOf));
}

function quarters({ column, row, size }: Square): Square[] {
  const half = size / 2;
  return [
    { column, row, size: half },
    { column: column + half, row, size: half },
    { column, row: row + half, size: half },
    { column: column + half, row: row + half, size: half },
  ];
}

function meets({ column, row, size }: Square, { left, right, bottom, top }: Grid): boolean {
  return column <= right && column + size > left && row <= top && row + size > bottom;
}

function isWithin({ column, row, size }: Square, { left, right, bottom, top }: Grid): boolean {
  return column >= left && column + size - 1 <= right && row >= bottom && row + size - 1 <= top;
}

/** Z order gives all cells of a square consecutive numbers. */
function rangeOf({ column, row, size }: Square): CellRange {
  const low = interleave(column, row);
  return { low, high: low + size * size - 1 };
}

function joinRanges(ranges: readonly CellRange[]): CellRange[] {
  const joined: CellRange[] = [];
  for (const range of ranges.toSorted((one, other) => one.low - other.low)) {
    const last = joined.at(-1);
    if (last === undefined || range.low > last.high + 1) joined.push(range);
    else joined[joined.length - 1] = { low: last.low, high: Math.max(last.high, range.high) };
  }
  return joined;
}

function gridOf({ south, west, north, east }: Rectangle): Grid {
  return { left: columnOf(west), right: columnOf(east), bottom: rowOf(south), top: rowOf(north) };
}

/** Monotonic in the degrees, so the cells of a rectangle's edges bound the cells of all places inside. */
function columnOf(longitude: number): number {
  return Math.min(axisCells - 1, Math.floor(((longitude + 180) / 360) * axisCells));
}

function rowOf(latitude: number): number {
  return Math.min(axisCells - 1, Math.floor(((latitude + 90) / 180) * axisCells));
}

/** Interleaves the bits of both, the row's first. In two halves, since bit operations have 32 bits. */
function interleave(column: number, row: number): number {
  const high = spread(Math.floor(column / halfCells)) + 2 * spread(Math.floor(row / halfCells));
  const low = spread(column % halfCells) + 2 * spread(row % halfCells);
  return high * axisCells + low;
}

/** Puts a 0 before each bit of a 13-bit number. */
function spread(half: number): number {
  let bits = half;
  bits = (bits | (bits << 8)) & 0x00ff00ff;
  bits = (bits | (bits << 4)) & 0x0f0f0f0f;
  bits = (bits | (bits << 2)) & 0x33333333;
  return (bits | (bits << 1)) & 0x55555555;
}
