import { chunks, concat, map, pipe, type Source, type Stream } from "../streams/index.js";
import type { ReceivedRecord } from "../wire/index.js";
import { featureOfRecord } from "./feature.js";
import { recordsPerChunk } from "./records-per-chunk.js";

/** Records as one FeatureCollection, one line per record. A record without a location has no geometry. */
export function geoJsonFromRecords(records: Source<ReceivedRecord>): Stream<string> {
  let separator = "";
  return concat(
    ['{"type":"FeatureCollection","features":['],
    pipe(
      chunks(records, recordsPerChunk),
      map((group) => {
        const text = group.map((record) => `\n${JSON.stringify(featureOfRecord(record))}`).join(",");
        const piece = separator + text;
        separator = ",";
        return piece;
      }),
    ),
    ["\n]}\n"],
  );
}
