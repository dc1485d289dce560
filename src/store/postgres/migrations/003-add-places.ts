import type { Migration } from "./migration.js";

/**
 * The locations of a state's records, to find those in a rectangle: in degrees, exactly as they were published, and as a
 * cell (`cells.ts`) for an index. Rows that exist already get them from their frames, by functions that are dropped at the
 * end.
 */
export const addPlaces: Migration = {
  number: 3,
  name: "add-places",
  checksum: "24fd1b812f4d3c8fe30abb4d25d75f661303df44dbd955697d88dd7d8de080e7",
  statements: [
    `alter table millrace.latest
  add column latitude float8,
  add column longitude float8,
  add column cell bigint`,
    // A record's field 7 in its frame: tag 3a, a length, and two doubles after the tags 09 and 11, lowest byte first.
    `create function millrace.place_in(frame bytea, out latitude float8, out longitude float8) language plpgsql as $$
declare
  at int := 1;
  tag bigint;
  length bigint;
  field int;
  value float8;
  stop int;
  bits bigint;
begin
  select next, number into at, length from millrace.varint_in(frame, at);
  while at < octet_length(frame) loop
    select next, number into at, tag from millrace.varint_in(frame, at);
    if (tag & 7) = 1 then at := at + 8;
    elsif (tag & 7) = 5 then at := at + 4;
    elsif (tag & 7) = 0 then select next into at from millrace.varint_in(frame, at);
    else
      select next, number into at, length from millrace.varint_in(frame, at);
      if tag >> 3 = 7 then
        latitude := 0;
        longitude := 0;
        stop := at + length;
        while at < stop loop
          select next, number into at, tag from millrace.varint_in(frame, at);
          bits := 0;
          for byte in reverse 7..0 loop
            bits := (bits << 8) | get_byte(frame, at + byte);
          end loop;
          field := ((bits >> 52) & 2047)::int;
          value := case field when 0 then 0 else
            (1 + (bits & 4503599627370495)::float8 / 4503599627370496) * power(2::float8, field - 1023) end;
          if bits < 0 then value := -value; end if;
          if tag >> 3 = 1 then latitude := value; else longitude := value; end if;
          at := at + 8;
        end loop;
        return;
      end if;
      at := at + length;
    end if;
  end loop;
end
$$`,
    `create function millrace.varint_in(bytes bytea, start int, out next int, out number bigint) language plpgsql as $$
declare
  shift int := 0;
begin
  next := start;
  number := 0;
  loop
    number := number | ((get_byte(bytes, next) & 127)::bigint << shift);
    next := next + 1;
    exit when get_byte(bytes, next - 1) < 128;
    shift := shift + 7;
  end loop;
end
$$`,
    `create function millrace.cell_of(latitude float8, longitude float8) returns bigint language plpgsql as $$
declare
  grid_column bigint := least(67108863, floor((longitude + 180) / 360 * 67108864));
  grid_row bigint := least(67108863, floor((latitude + 90) / 180 * 67108864));
  cell bigint := 0;
begin
  for bit in reverse 25..0 loop
    cell := (cell << 2) | (((grid_row >> bit) & 1) << 1) | ((grid_column >> bit) & 1);
  end loop;
  return cell;
end
$$`,
    `update millrace.latest as l
set latitude = place.latitude, longitude = place.longitude, cell = millrace.cell_of(place.latitude, place.longitude)
from (
  select topic_id, key, (millrace.place_in(frame)).* from millrace.latest
) as place
where l.topic_id = place.topic_id and l.key = place.key and place.latitude is not null`,
    `drop function millrace.place_in(bytea)`,
    `drop function millrace.varint_in(bytea, int)`,
    `drop function millrace.cell_of(float8, float8)`,
    // Only rows with a place: other states pay nothing for it.
    `create index latest_cell on millrace.latest (topic_id, cell) where cell is not null`,
  ],
};
