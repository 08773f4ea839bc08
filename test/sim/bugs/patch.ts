/** How a bug is planted: another method, getter or value takes the place of one, so that the code itself carries no switch. */

/** Puts another in the place of one. What it returns plants it; what that returns takes it out again. */
export function replaced<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  change: (original: PropertyDescriptor) => PropertyDescriptor,
): () => () => void {
  return () => {
    const original = Object.getOwnPropertyDescriptor(prototype, name)
    if (original === undefined) throw new Error(`there is no ${String(name)} to replace`)
    Object.defineProperty(prototype, name, { ...change(original), configurable: true })
    return () => void Object.defineProperty(prototype, name, original)
  }
}

type Method<T> = (this: T, ...given: never[]) => unknown

/** Another method, which may call the one that was there. */
export function method<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  make: (original: T[K]) => Method<T>,
): () => () => void {
  return replaced(prototype, name, ({ value }) => ({ value: make(value as T[K]), writable: true }))
}

export function getter<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  get: (this: T, original: () => T[K]) => T[K],
) {
  return replaced(prototype, name, (original) => ({
    get(this: T) {
      return get.call(this, () => original.get?.call(this) as T[K])
    },
  }))
}

/** Several at once. */
export function together(...plants: readonly (() => () => void)[]): () => () => void {
  return () => {
    const undo = plants.map((plant) => plant())
    return () => {
      for (const one of undo.reverse()) one()
    }
  }
}
