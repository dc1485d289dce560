import { filterMap, type Stream } from "../streams/index.js";
import { type ByteSource, type ByteSourceOptions, defaultRowBytes, nameOf, openBytes } from "./byte-source.js";
import { type FeatureOptions, recordOfFeature } from "./feature.js";
import { FileFormatError } from "./file-format-error.js";
import { type FileRow, makeRow } from "./file-row.js";
import { type JsonPiece, JsonSplitter } from "./json-splitter.js";
import { parseJson } from "./json-value.js";
import { parseChunks } from "./parse-chunks.js";

export interface GeoJsonOptions extends ByteSourceOptions, FeatureOptions {}

/**
 * GeoJSON: a FeatureCollection, or a sequence of features, one per line or as in RFC 8142. Holds one feature at a time.
 * Features are counted from 0.
 */
export function rowsFromGeoJson(source: ByteSource, options: GeoJsonOptions = {}): Stream<FileRow> {
  const name = nameOf(source, options);
  let alone = 0;
  const splitter = new JsonSplitter(name, "features", options.maxRowBytes ?? defaultRowBytes);
  return filterMap(parseChunks(openBytes(source, options), splitter), (piece) => {
    if (piece.kind === "element") {
      const where = `${name}: feature ${piece.index}`;
      return makeRow(where, () => recordOfFeature(parseJson(piece.text, where), options, where));
    }
    if (isCollection(piece, name)) return undefined;
    const where = `${name}: feature ${alone}`;
    alone += 1;
    return makeRow(where, () => recordOfFeature(piece.value, options, where));
  });
}

function isCollection({ value, hadList }: Extract<JsonPiece, { kind: "value" }>, name: string): boolean {
  const { type } = value;
  if (type === "FeatureCollection") {
    if (Array.isArray(value["features"]) && value["features"].length > 0) {
      throw new FileFormatError(name, "the FeatureCollection has two lists of features");
    }
    if (hadList) return true;
    throw new FileFormatError(name, "the FeatureCollection has no list of features");
  }
  if (type === "Feature" && !hadList) return false;
  const got = type === undefined ? "an object without a type" : JSON.stringify(type);
  throw new FileFormatError(name, `must be a FeatureCollection, or Features one after the other, got ${got}`);
}
