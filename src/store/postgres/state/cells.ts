/**
 * Places as numbers that a B-tree can range over: a cell counts the squares of a grid of 2^26 by 2^26 over the Earth (60 cm
 * at the equator) in Z order, so that what lies together has numbers that lie together, and a rectangle is a few ranges
 * of them. A B-tree, since it can begin with the topic, and needs no extension.
 */

import type { Rectangle } from "../../../core/index.js";

/** Bits of one axis. A cell has 52: a number of JavaScript holds it exactly. */
const axisBits = 26;
const axisCells = 2 ** axisBits;
const halfBits = axisBits / 2;
const halfCells = 2 ** halfBits;
/** A rectangle becomes at most as many ranges: each costs a descent of the index, and more cut the edges finer. */
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

/** Ranges, ascending, that hold every cell of the rectangle, and few others. */
export function cellRanges(rectangle: Rectangle): CellRange[] {
  const { south, west, north, east } = rectangle;
  if (west <= east) return rangesOf(gridOf(rectangle), rangesMax);
  const half = rangesMax / 2;
  return joinRanges([
    ...rangesOf(gridOf({ south, west, north, east: 180 }), half),
    ...rangesOf(gridOf({ south, west: -180, north, east }), half),
  ]);
}

/** A rectangle in cells, its edges inclusive. */
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
  // Each round halves the squares on the edge, until they are single cells or there would be too many.
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

/** All cells of a square follow each other: that is what Z order is for. */
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

/** Never falls where the degrees rise, so that the cells of a rectangle's edges bound those of all that is inside. */
function columnOf(longitude: number): number {
  return Math.min(axisCells - 1, Math.floor(((longitude + 180) / 360) * axisCells));
}

function rowOf(latitude: number): number {
  return Math.min(axisCells - 1, Math.floor(((latitude + 90) / 180) * axisCells));
}

/** The bits of both, in turns, the row's first. By halves, since bit operations end at 32. */
function interleave(column: number, row: number): number {
  const high = spread(Math.floor(column / halfCells)) + 2 * spread(Math.floor(row / halfCells));
  const low = spread(column % halfCells) + 2 * spread(row % halfCells);
  return high * axisCells + low;
}

/** A number of 13 bits with a 0 before each of them. */
function spread(half: number): number {
  let bits = half;
  bits = (bits | (bits << 8)) & 0x00ff00ff;
  bits = (bits | (bits << 4)) & 0x0f0f0f0f;
  bits = (bits | (bits << 2)) & 0x33333333;
  return (bits | (bits << 1)) & 0x55555555;
}
