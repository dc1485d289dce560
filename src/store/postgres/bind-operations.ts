/** Functions by name, each without the first parameters that all of them have. */
export type Bound<Given extends readonly unknown[], Operations> = {
  readonly [Name in keyof Operations]: Operations[Name] extends (...all: [...Given, ...infer Rest]) => infer Result
    ? (...rest: Rest) => Result
    : never;
};

/** Gives functions the parameters that all of them begin with. A bound function makes no array of its arguments. */
export function bindOperations<Given extends readonly unknown[], Operations extends object>(
  operations: Operations,
  ...given: Given
): Bound<Given, Operations> {
  const bound = Object.entries(operations).map(([name, operation]: [string, (...all: unknown[]) => unknown]) => [
    name,
    operation.bind(undefined, ...given),
  ]);
  return Object.fromEntries(bound) as Bound<Given, Operations>;
}
