/** Makes the k-th call of a port fail, for every k: what follows must put everything right. */

/** Decides, call by call, whether it fails. */
export interface Failures {
  /** Fails the `call`-th call from now on (1 is the next), before it does anything or after it has done all. */
  arm(call: number, when: 'before' | 'after'): void
  disarm(): void
  /** Whether the armed failure has happened. */
  readonly fired: boolean
}

/** The port with every promise-returning method watched, and the switch that makes one of its calls fail. */
export function failing<Port extends object>(
  port: Port,
): { readonly port: Port; readonly failures: Failures } {
  let remaining = 0
  let armed: 'before' | 'after' | null = null
  let fired = false
  const due = () => {
    if (armed === null) return null
    remaining -= 1
    if (remaining > 0) return null
    const when = armed
    armed = null
    fired = true
    return when
  }
  const watched = new Proxy(port, {
    get: (target, key) => {
      const method: unknown = Reflect.get(target, key)
      if (typeof method !== 'function') return method
      return async (...args: unknown[]) => {
        const when = due()
        if (when === 'before') throw new Error(`${String(key)} was made to fail`)
        const result: unknown = await method.apply(target, args)
        if (when === 'after') throw new Error(`${String(key)} was made to fail after it was done`)
        return result
      }
    },
  })
  return {
    port: watched,
    failures: {
      arm: (call, when) => {
        remaining = call
        armed = when
        fired = false
      },
      disarm: () => {
        armed = null
      },
      get fired() {
        return fired
      },
    },
  }
}
