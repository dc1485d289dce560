/**
 * Inputs of `echo.All`, and whether they are valid proto3 JSON. `json-verdicts.soak.ts` compares this with `buf curl`.
 */

interface Input {
  readonly json: string;
  readonly isRight: boolean;
  /** Set where this project differs from `buf curl`: the reason. */
  readonly buf?: { readonly isRight: boolean; readonly why: string };
}

const right = (...texts: readonly string[]): Input[] => texts.map((json) => ({ json, isRight: true }));
const wrong = (...texts: readonly string[]): Input[] => texts.map((json) => ({ json, isRight: false }));

export const jsonInputs: readonly Input[] = [
  ...right(
    "{}",
    ' { "small" : 1 } ',
    '{"small":null,"text":null,"inner":null,"numbers":null,"labels":null,"color":null}',
  ),
  ...wrong("[]", "null", '"text"', "{", '{"small":1}x', '{"small":1,}', "{'small':1}", '{"small":1,"small":2}'),
  // Names.
  ...right('{"smallUnsigned":1}', '{"small_unsigned":1}', '{"byNumber":{}}'),
  ...wrong(
    '{"nope":1}',
    '{"Small":1}',
    '{"smallunsigned":1}',
    '{"small_unsigned":1,"smallUnsigned":1}',
    '{"inner":{"nope":1}}',
  ),
  // Whole numbers.
  ...right(
    '{"small":-2147483648}',
    '{"small":"7"}',
    '{"small":1.0}',
    '{"small":1e2}',
    '{"small":"-1"}',
    '{"small":-0}',
  ),
  ...wrong(
    '{"small":2147483648}',
    '{"small":1.5}',
    '{"small":"1.5"}',
    '{"small":"x"}',
    '{"small":""}',
    '{"small":" 1"}',
    '{"small":true}',
  ),
  ...wrong(
    '{"small":[1]}',
    '{"small":{}}',
    '{"small":01}',
    '{"small":+1}',
    '{"small":.5}',
    '{"small":NaN}',
    '{"small":1e-1}',
  ),
  ...right(
    '{"large":"9223372036854775807"}',
    '{"large":9223372036854775807}',
    '{"large":9007199254740993}',
    '{"large":-9223372036854775808}',
  ),
  ...wrong('{"large":"9223372036854775808"}', '{"large":9223372036854775808}', '{"large":1e19}', '{"large":1.5}'),
  ...right(
    '{"smallUnsigned":4294967295}',
    '{"largeUnsigned":"18446744073709551615"}',
    '{"largeUnsigned":18446744073709551615}',
  ),
  ...wrong(
    '{"smallUnsigned":-1}',
    '{"smallUnsigned":4294967296}',
    '{"largeUnsigned":-1}',
    '{"largeUnsigned":"18446744073709551616"}',
  ),
  ...right('{"zigzag":-1}', '{"largeZigzag":"-1"}', '{"fixed":1}', '{"largeFixed":"-1"}'),
  // Other numbers.
  ...right(
    '{"wide":1}',
    '{"wide":"1.5"}',
    '{"wide":1e308}',
    '{"wide":"NaN"}',
    '{"wide":"-Infinity"}',
    '{"wide":"1e3"}',
    '{"narrow":0.1}',
  ),
  ...wrong(
    '{"wide":"x"}',
    '{"wide":""}',
    '{"wide":" 1"}',
    '{"wide":NaN}',
    '{"wide":Infinity}',
    '{"wide":"infinity"}',
    '{"wide":1e309}',
    '{"narrow":1e39}',
  ),
  // Texts, bytes, truth.
  ...right(
    '{"text":"é\\u00e9\\ud83c\\udf88"}',
    '{"text":""}',
    '{"data":"AP8="}',
    '{"data":"AP8"}',
    '{"data":"-_8="}',
    '{"yes":true}',
    '{"yes":false}',
  ),
  ...wrong(
    '{"text":1}',
    '{"text":"\\ud800"}',
    '{"text":true}',
    '{"data":"A"}',
    '{"data":"?"}',
    '{"data":1}',
    '{"yes":"true"}',
    '{"yes":1}',
  ),
  // Enums.
  ...right('{"color":"RED"}', '{"color":5}', '{"color":77}', '{"color":"COLOR_UNSPECIFIED"}', '{"colors":["RED",5]}'),
  ...wrong(
    '{"color":"red"}',
    '{"color":"GREEN"}',
    '{"color":"1"}',
    '{"color":1.5}',
    '{"color":true}',
    '{"colors":[null]}',
  ),
  // Messages, lists, maps.
  ...right(
    '{"inner":{}}',
    '{"inner":{"inner":{"text":"x"}}}',
    '{"numbers":[]}',
    '{"numbers":[1,"2",3.0]}',
    '{"inners":[{},{"text":"x"}]}',
  ),
  ...wrong(
    '{"inner":[]}',
    '{"inner":"x"}',
    '{"numbers":1}',
    '{"numbers":[null]}',
    '{"numbers":{"0":1}}',
    '{"inners":[null]}',
    '{"numbers":[[1]]}',
  ),
  ...right(
    '{"labels":{"a":"b","":""}}',
    '{"byNumber":{"1":{},"-2":{"text":"x"}}}',
    '{"byTruth":{"true":"RED","false":5}}',
  ),
  ...wrong(
    '{"labels":[]}',
    '{"labels":{"a":1}}',
    '{"labels":{"a":null}}',
    '{"labels":{"a":"b","a":"c"}}',
    '{"byNumber":{"x":{}}}',
    '{"byNumber":{"1.5":{}}}',
    '{"byTruth":{"yes":"RED"}}',
  ),
  // Presence, and one of several.
  ...right(
    '{"maybe":0}',
    '{"maybe":null}',
    '{"word":""}',
    '{"number":"0"}',
    '{"nothing":null}',
    '{"word":"x","number":null}',
  ),
  ...wrong('{"word":"x","number":1}', '{"word":null,"number":"x"}'),
  // Well-known types.
  ...right(
    '{"time":"2026-05-01T12:00:00Z"}',
    '{"time":"2026-05-01T12:00:00.123456789+02:00"}',
    '{"time":"0001-01-01T00:00:00Z"}',
    '{"time":null}',
  ),
  ...wrong(
    '{"time":"2026-05-01"}',
    '{"time":"2026-05-01T12:00:00"}',
    '{"time":"2026-13-01T00:00:00Z"}',
    '{"time":1}',
    '{"time":"2026-05-01 12:00:00Z"}',
    '{"time":"10000-01-01T00:00:00Z"}',
    '{"time":{"seconds":1}}',
  ),
  ...right('{"duration":"1s"}', '{"duration":"-0.5s"}', '{"duration":"1.000000001s"}', '{"duration":"315576000000s"}'),
  ...wrong(
    '{"duration":"1"}',
    '{"duration":1}',
    '{"duration":"1m"}',
    '{"duration":"1.0000000001s"}',
    '{"duration":"315576000001s"}',
    '{"duration":"s"}',
  ),
  ...right('{"mask":"a,bC.dE"}', '{"mask":""}'),
  ...wrong('{"mask":"a_b"}', '{"mask":["a"]}', '{"mask":1}'),
  ...right(
    '{"struct":{"a":[1,null,{"b":"c"}]}}',
    '{"value":null}',
    '{"value":1.5}',
    '{"value":[{}]}',
    '{"list":[1,"x",null]}',
  ),
  ...wrong('{"struct":[]}', '{"struct":1}', '{"list":{}}', '{"list":1}'),
  ...right('{"boxed":"7"}', '{"boxed":0}', '{"boxed":null}', '{"boxedText":""}', '{"empty":{}}'),
  ...wrong('{"boxed":{"value":1}}', '{"boxedText":1}', '{"empty":{"x":1}}', '{"empty":1}'),
  ...right(
    '{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.5s"}}',
    '{"any":{"@type":"type.googleapis.com/echo.All","small":1}}',
    '{"any":{}}',
  ),
  ...wrong(
    '{"any":{"@type":"type.googleapis.com/nowhere.Nothing"}}',
    '{"any":{"value":1}}',
    '{"any":{"@type":"type.googleapis.com/echo.All","nope":1}}',
    '{"any":1}',
  ),
  // The library is lenient here; the input has only one possible meaning.
  { json: '{"large":"0x10"}', isRight: true, buf: { isRight: false, why: "hexadecimal digits" } },
  // Other tools silently round a number in a Struct or a double.
  ...['{"value":9007199254740993}', '{"struct":{"id":9007199254740993}}', '{"wide":9007199254740993}'].map((json) => ({
    json,
    isRight: false,
    buf: { isRight: true, why: "its digits would be lost" },
  })),
];
