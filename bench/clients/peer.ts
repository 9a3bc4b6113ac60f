/**
 * A package that is installed for the benches only. Its types are written by its caller, as far as it
 * uses them, for the library's own checks must not need it.
 */
export async function peer<T>(name: string): Promise<T> {
  return (await import(name)) as T;
}
