/** Functions by name, without the first parameters, which all of them have. */
export type Bound<Given extends readonly unknown[], Operations> = {
  readonly [Name in keyof Operations]: Operations[Name] extends (...all: [...Given, ...infer Rest]) => infer Result
    ? (...rest: Rest) => Result
    : never;
};

/** Binds the first parameters of functions. `bind` is used since it makes no array of the arguments in each call. */
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
