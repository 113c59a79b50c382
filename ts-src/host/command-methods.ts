// Objects that have a method for every command of the server, whatever commands there are.

/** Names that an object must not seem to have: `await` and `JSON.stringify` ask for them. */
const kNotCommands = new Set(['then', 'toJSON', 'constructor'])

/**
 * A prototype on which a method is made for a name when it is used for the first time; from then on it is an ordinary
 * method, as fast as any other.
 *
 * @param make makes the method for a name as it was written, such as `get` or `getBuffer`
 */
export function commandMethods(make: (name: string) => unknown): object {
  const prototype: Record<string, unknown> = Object.create(
    new Proxy(Object.prototype, {
      get(target, name, receiver): unknown {
        if (typeof name === 'symbol' || name in target || kNotCommands.has(name))
          return Reflect.get(target, name, receiver)
        return (prototype[name] = make(name))
      },
    }),
  ) as Record<string, unknown>
  return prototype
}
