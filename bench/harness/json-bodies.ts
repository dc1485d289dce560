/** Realistic bodies: a sensor's reading as JSON, of the given length, each different. */
export function jsonBody(index: number, bytes: number): Uint8Array {
  const reading = {
    sensor: `building-${index % 17}/room-${index % 211}`,
    celsius: Number((18 + 6 * Math.sin(index / 97)).toFixed(3)),
    humidity: (index * 7919) % 100,
    at: 1_700_000_000_000 + index * 250,
  };
  const text = JSON.stringify(reading);
  const rest = bytes - text.length - ',"note":""'.length;
  if (rest < 0) return Buffer.from(text);
  const note = ((index * 2_654_435_761) % 4_294_967_296)
    .toString(36)
    .repeat(Math.ceil(bytes / 4))
    .slice(0, rest);
  return Buffer.from(`${text.slice(0, -1)},"note":"${note}"}`);
}
